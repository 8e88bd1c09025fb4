//! The system calls of the data path, and socket options that are numbers: the only unsafe code of the crate.
//!
//! What the kernel reads and writes lies in a [`Block`], which never moves and which nobody else owns; the
//! headers that point there are made once. What is sent on lies with the caller, and is borrowed for the call
//! that reads it. What the kernel has written is read as bytes, by safe code (`address`,
//! `control`).
//!
//! The calls are made as `syscall(2)`: the wrappers of glibc are cancellation points, which takes a program
//! with threads some forty instructions a call, a tenth of what a relayed packet takes in all.

#![expect(unsafe_code, reason = "these calls have no safe form that spares each packet its set-up")]

use std::io;
use std::mem::zeroed;
use std::ops::{Deref, DerefMut, Range};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::{NonNull, null_mut};

use libc::{c_int, c_long, iovec, mmsghdr, socklen_t};

use super::address::Name;
use super::control::{Control, Said};

/// Datagrams, or trains of them, of one call.
pub(crate) const LARGE: usize = 32;

/// Memory at a place that the kernel is told of.
struct Block<T>(NonNull<[T]>);

// SAFETY: a block owns what it points to, as a box does.
unsafe impl<T: Send> Send for Block<T> {}

impl<T: Clone> Block<T> {
    fn new(value: T, count: usize) -> Self {
        let slice = Box::leak(vec![value; count].into_boxed_slice());
        Self(NonNull::from(slice))
    }

    /// Where an element lies.
    fn at(&mut self, index: usize) -> *mut T {
        assert!(index < self.0.len(), "no place outside of the block is told");
        // SAFETY: the place is within the block.
        unsafe { self.0.as_ptr().cast::<T>().add(index) }
    }
}

impl<T> Deref for Block<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the memory is initialised and owned; the kernel writes to it in calls only that borrow
        // the block mutably.
        unsafe { self.0.as_ref() }
    }
}

impl<T> DerefMut for Block<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { self.0.as_mut() }
    }
}

impl<T> Drop for Block<T> {
    fn drop(&mut self) {
        // SAFETY: it came from a box, and goes back to one once.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// A header of the kernel's, which points into blocks that are kept with it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Header(mmsghdr);

// SAFETY: what it points to belongs to the same owner.
unsafe impl Send for Header {}

impl Header {
    /// Tells the kernel how much room there is for a name and for control messages.
    #[inline]
    const fn make_ready(&mut self) {
        self.0.msg_hdr.msg_namelen = size_of::<Name>() as socklen_t;
        self.0.msg_hdr.msg_controllen = size_of::<Control>() as _;
    }
}

/// A place and a length.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Vector(iovec);

// SAFETY: as for headers.
unsafe impl Send for Vector {}

/// What goes with the contents.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Envelope {
    control: Control,
    name: Name,
}

/// Headers with all that they point to but the contents.
struct Messages {
    headers: Block<Header>,
    vectors: Block<Vector>,
    envelopes: Block<Envelope>,
}

impl Messages {
    /// [`LARGE`] headers, each with an envelope, and this many vectors, of which each header has one.
    fn new(vectors: usize) -> Self {
        // SAFETY: numbers and pointers, for which zero is a value.
        let (header, vector): (mmsghdr, iovec) = unsafe { (zeroed(), zeroed()) };
        let mut this = Self {
            headers: Block::new(Header(header), LARGE),
            vectors: Block::new(Vector(vector), vectors),
            envelopes: Block::new(Envelope::default(), LARGE),
        };
        for number in 0..LARGE {
            let (vector, envelope) = (this.vectors.at(number), this.envelopes.at(number));
            if let Some(Header(header)) = this.headers.get_mut(number) {
                (header.msg_hdr.msg_iov, header.msg_hdr.msg_iovlen) = (vector.cast(), 1);
                // SAFETY: the envelope lies in its block.
                unsafe {
                    header.msg_hdr.msg_name = (&raw mut (*envelope).name).cast();
                    header.msg_hdr.msg_control = (&raw mut (*envelope).control).cast();
                }
            }
        }
        this
    }
}

/// Rooms that datagrams are received into.
pub(crate) struct Rooms {
    messages: Messages,
    memory: Block<u8>,
}

impl Rooms {
    /// [`LARGE`] rooms of so many bytes, of which the first ones of each stay free, and a margin behind them
    /// that nothing is received into.
    pub(crate) fn new(stride: usize, front: usize, margin: usize) -> Self {
        let memory = Block::new(0, LARGE * stride + margin);
        let mut this = Self { messages: Messages::new(LARGE), memory };
        for number in 0..LARGE {
            let base = this.memory.at(number * stride + front).cast();
            if let Some(vector) = this.messages.vectors.get_mut(number) {
                // The room ends where the next one begins.
                *vector = Vector(iovec { iov_base: base, iov_len: stride - front });
            }
        }
        this.messages.headers.iter_mut().for_each(Header::make_ready);
        this
    }

    /// Receives into rooms; how many of them were filled. An error is that of an earlier datagram, and ICMP
    /// has told it already.
    #[inline]
    pub(crate) fn receive(&mut self, socket: &impl AsFd, rooms: Range<usize>) -> usize {
        let Some(headers) = self.messages.headers.get_mut(rooms) else { return 0 };
        // SAFETY: each header points to a name, a control buffer and a vector in blocks of the same
        // owner, which is borrowed mutably, with the lengths that they have; so does the vector to a room.
        let received = unsafe {
            let (fd, place) = (socket.as_fd().as_raw_fd(), headers.as_mut_ptr());
            let flags = libc::MSG_DONTWAIT;
            libc::syscall(libc::SYS_recvmmsg, fd, place, headers.len(), flags, null_mut::<u8>())
        };
        count(received).unwrap_or(0)
    }

    /// What was received into a room: how much, from where, and what else the kernel has told. It is asked
    /// once for each room that was filled, since it makes the room ready for the next datagram.
    #[inline]
    pub(crate) fn take(&mut self, room: usize) -> Option<(usize, &Name, &[u8])> {
        let header = self.messages.headers.get_mut(room)?;
        let Envelope { control, name } = self.messages.envelopes.get(room)?;
        let told = control.bytes(header.0.msg_hdr.msg_controllen as _);
        let length = header.0.msg_len as usize;
        header.make_ready();
        Some((length, name, told))
    }

    /// Whether what was received into both rooms has come from the same source.
    #[inline]
    pub(crate) fn have_one_source(&self, one: usize, other: usize) -> bool {
        let name = |room: usize| self.messages.envelopes.get(room).map(|envelope| &envelope.name);
        name(one) == name(other)
    }

    /// All rooms, one after the other, and the margin.
    #[inline]
    pub(crate) fn memory(&self) -> &[u8] {
        &self.memory
    }

    #[inline]
    pub(crate) fn memory_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}

/// A datagram, or a train of them, to send.
pub(crate) struct Letter<'a> {
    pub(crate) name: &'a Name,
    pub(crate) said: Said,
    pub(crate) contents: Contents<'a>,
}

/// Bytes that lie in several places, which are sent one behind the other from there.
#[derive(Clone, Copy)]
pub(crate) struct Contents<'a> {
    pub(crate) memory: &'a [u8],
    /// The places in the memory.
    pub(crate) parts: &'a [Range<usize>],
}

impl<'a> Contents<'a> {
    /// What lies in a place; nothing, if there is no such place.
    #[inline]
    fn at(&self, part: &Range<usize>) -> &'a [u8] {
        self.memory.get(part.start..part.end).unwrap_or_default()
    }

    /// All of it, if it lies in one place.
    #[inline]
    pub(crate) fn whole(&self) -> Option<&'a [u8]> {
        match self.parts {
            [part] => Some(self.at(part)),
            _ => None,
        }
    }
}

/// What is sent with one call.
pub(crate) struct Letters(Messages);

/// Places of the contents of one call, all letters together.
pub(crate) const PARTS: usize = 512;

impl Letters {
    pub(crate) fn new() -> Self {
        Self(Messages::new(PARTS))
    }

    /// Sends datagrams, or trains of them, of which it takes at most [`LARGE`] with [`PARTS`] parts; how many
    /// the kernel took before it met an error.
    ///
    /// # Errors
    /// That of the first one.
    pub(crate) fn send<'a>(
        &mut self,
        socket: &impl AsFd,
        letters: impl Iterator<Item = Letter<'a>>,
    ) -> io::Result<usize> {
        let Messages { headers, vectors, envelopes } = &mut self.0;
        let mut free = &mut vectors[..];
        let mut length = 0;
        for letter in letters {
            let (Some(Header(header)), Some(envelope)) =
                (headers.get_mut(length), envelopes.get_mut(length))
            else {
                break;
            };
            let Letter { name, said, contents } = letter;
            let Some((places, rest)) = free.split_at_mut_checked(contents.parts.len()) else {
                break;
            };
            free = rest;
            let header = &mut header.msg_hdr;
            (header.msg_iov, header.msg_iovlen) = (places.as_mut_ptr().cast(), places.len());
            for (part, place) in contents.parts.iter().zip(places) {
                let bytes = contents.at(part);
                let base = bytes.as_ptr().cast_mut().cast();
                *place = Vector(iovec { iov_base: base, iov_len: bytes.len() });
            }
            header.msg_name = (&raw const *name).cast_mut().cast();
            header.msg_namelen = name.length() as socklen_t;
            header.msg_controllen = envelope.control.say(&said, name.is_v4()) as _;
            length += 1;
        }
        // SAFETY: as in `receive`; the headers up to `length` point to vectors that were written above, and
        // these to contents, as the headers to names, that are borrowed for longer than this call, in which
        // the kernel only reads them. What outlives them is not used again before it is written anew.
        let sent = unsafe {
            let (fd, first) = (socket.as_fd().as_raw_fd(), headers.as_mut_ptr());
            libc::syscall(libc::SYS_sendmmsg, fd, first, length, libc::MSG_DONTWAIT)
        };
        count(sent)
    }
}

/// Sends one datagram of which nothing is to be said but where it goes.
#[inline]
pub(crate) fn send_plain(socket: &impl AsFd, name: &Name, contents: &[u8]) -> io::Result<()> {
    // SAFETY: name and contents are borrowed until the call returns; their lengths are given with them.
    let sent = unsafe {
        let (fd, flags) = (socket.as_fd().as_raw_fd(), libc::MSG_DONTWAIT);
        let (base, length) = (contents.as_ptr(), contents.len());
        libc::syscall(libc::SYS_sendto, fd, base, length, flags, &raw const *name, name.length())
    };
    count(sent).map(drop)
}

/// How many bytes can be read of a connection.
pub(crate) fn readable(socket: &impl AsFd) -> io::Result<usize> {
    let mut bytes: c_int = 0;
    // SAFETY: the kernel writes one number, to where there is one.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    count(if result < 0 { -1 } else { bytes.into() })
}

/// Sets an option of a socket that is a number.
pub(crate) fn set(socket: &impl AsFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let length = size_of::<c_int>() as socklen_t;
    // SAFETY: the descriptor is open for as long as it is borrowed; `value` lives until the call
    // returns, and `length` is its size.
    let result = unsafe {
        let fd = socket.as_fd().as_raw_fd();
        libc::setsockopt(fd, level, name, (&raw const value).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Nanoseconds of the monotonic clock.
#[inline]
pub(crate) fn monotonic() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes to `now`, which lives until the call returns. Every Linux has this clock, and it
    // begins at zero.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[inline]
fn count(result: c_long) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
