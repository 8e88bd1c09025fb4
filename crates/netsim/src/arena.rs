use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A number that names an item of one [`Arena`].
pub(crate) trait Id: Copy {
    fn from_index(index: usize) -> Self;
    fn index(self) -> usize;
}

/// Items that are added and never removed, reached by typed ids.
pub(crate) struct Arena<I, T> {
    items: Vec<T>,
    ids: PhantomData<fn(I)>,
}

impl<I: Id, T> Arena<I, T> {
    pub(crate) const fn new() -> Self {
        Self { items: Vec::new(), ids: PhantomData }
    }

    pub(crate) fn next_id(&self) -> I {
        I::from_index(self.items.len())
    }

    pub(crate) fn push(&mut self, item: T) -> I {
        let id = self.next_id();
        self.items.push(item);
        id
    }
}

impl<I, T> Arena<I, T> {
    pub(crate) const fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut()
    }
}

impl<I: Id, T> Index<I> for Arena<I, T> {
    type Output = T;

    fn index(&self, id: I) -> &T {
        self.items.get(id.index()).expect("an id is used in the world that gave it")
    }
}

impl<I: Id, T> IndexMut<I> for Arena<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        self.items.get_mut(id.index()).expect("an id is used in the world that gave it")
    }
}

/// Defines ids that one world hands out.
macro_rules! ids {
    ($($(#[$doc:meta])* $visible:vis $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visible struct $name(u32);

        impl Id for $name {
            fn from_index(index: usize) -> Self {
                Self(u32::try_from(index).expect("a world has fewer than 2^32 parts"))
            }

            fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A network of one [`World`](crate::World): the core, a LAN, a carrier's access network.
    pub NetworkId,
    /// A gateway of one [`World`](crate::World): what joins an inside network to an outside one.
    pub GatewayId,
    /// The access of a host or a gateway to a network of one [`World`](crate::World).
    pub LinkId,
    /// A host or a gateway in the trace.
    pub(crate) DeviceId,
}
