//! `stun-tool decode`: a message, attribute by attribute, and what is wrong with it.

use std::io::Read;
use std::path::Path;

use clap::Args;
use pinhole_stun::{
    AttributeType, HEADER_LENGTH, IntegrityKey, MAGIC_COOKIE, Message, ParseError, RawAttribute,
    Reader, TransactionId,
};

use crate::Failure;
use crate::describe::describe;

/// The options of `stun-tool decode`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Hexadecimal digits; or the name of a file with them, or with the bytes; or - for standard input.
    input: String,
    /// Also verify the integrity with this short-term password.
    #[arg(long)]
    password: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bytes = read(&arguments.input)?;
    let mut problems = Vec::new();
    print_header(&bytes);
    if let Some(attributes) = bytes.get(HEADER_LENGTH..) {
        print_attributes(&bytes, attributes, &mut problems);
    }
    match Message::parse(&bytes) {
        Ok(message) => {
            println!("fingerprint  {}", if message.has_fingerprint() { "right" } else { "none" });
            print_integrity(&message, arguments.password.as_deref(), &mut problems);
        }
        Err(error) => problems.insert(0, explain(error)),
    }
    if problems.is_empty() {
        println!("well-formed, {} bytes", bytes.len());
        return Ok(());
    }
    for problem in &problems {
        println!("wrong: {problem}");
    }
    let noun = if problems.len() == 1 { "problem" } else { "problems" };
    Err(Failure::Unanswered(format!("{} {noun} in {} bytes", problems.len(), bytes.len())))
}

/// The bytes: from standard input or a file, as they are or as digits; or digits on the command line.
fn read(input: &str) -> Result<Vec<u8>, Failure> {
    let failed = |reason| Failure::Network { what: input.into(), reason };
    let bytes = if input == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(failed)?;
        bytes
    } else if Path::new(input).is_file() {
        std::fs::read(input).map_err(failed)?
    } else {
        return from_hex(input.as_bytes()).ok_or_else(|| {
            Failure::Usage(format!("{input}: neither a file nor hexadecimal digits"))
        });
    };
    Ok(from_hex(&bytes).unwrap_or(bytes))
}

/// Digits with spaces, colons, commas and 0x wherever somebody has put them between the bytes.
fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(text).ok()?.replace("0x", " ");
    let is_separator = |c: char| c.is_ascii_whitespace() || c == ':' || c == ',';
    let mut bytes = Vec::new();
    for word in text.split(is_separator).filter(|word| !word.is_empty()) {
        let (pairs, rest) = word.as_bytes().as_chunks::<2>();
        if !rest.is_empty() {
            return None;
        }
        for pair in pairs {
            let digits = str::from_utf8(pair).ok().filter(|digits| !digits.starts_with('+'))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}

/// The header as far as there is one, right or wrong.
fn print_header(bytes: &[u8]) {
    let Some(header) = bytes.first_chunk::<HEADER_LENGTH>() else { return };
    let mut reader = Reader::new(header);
    let (kind, length, cookie) = (reader.u16(), reader.u16(), reader.u32());
    // With the right length and cookie, any type can be read as class and method.
    let [t0, t1, _, _, _, _, _, _, id @ ..] = *header;
    let mut as_stun = [0; HEADER_LENGTH];
    let (head, tail) = as_stun.split_at_mut(8);
    let [c0, c1, c2, c3] = MAGIC_COOKIE.to_be_bytes();
    head.copy_from_slice(&[t0, t1, 0, 0, c0, c1, c2, c3]);
    tail.copy_from_slice(&id);
    println!("   0  type           {:#06x}", kind.unwrap_or(0));
    if let Ok(message) = Message::parse(&as_stun) {
        println!("                     {} {:?}", message.method(), message.class());
    }
    println!("   2  length         {}", length.unwrap_or(0));
    println!("   4  magic cookie   {:#010x}", cookie.unwrap_or(0));
    println!("   8  transaction id {}", transaction_id(header));
}

fn print_attributes(bytes: &[u8], attributes: &[u8], problems: &mut Vec<String>) {
    let id = bytes.first_chunk::<HEADER_LENGTH>().map(transaction_id);
    let id = id.unwrap_or(TransactionId::new([0; 12]));
    let counted = Message::parse_structure(bytes).map(|message| message.attributes());
    let mut counted = counted.ok();
    let mut reader = Reader::new(attributes);
    while let (at, Some(kind), Some(length)) =
        (bytes.len() - reader.rest().len(), reader.u16(), reader.u16())
    {
        let kind = AttributeType::new(kind);
        let Some(value) = reader.take(length.into()) else {
            println!("{at:4}  {kind}: {length} bytes, of which {} are there", reader.rest().len());
            return;
        };
        let attribute = RawAttribute { kind, value };
        let counts = counted.as_mut().is_none_or(|counted| {
            counted.clone().next() == Some(attribute) && counted.next().is_some()
        });
        let note = if counts { "" } else { "  (does not count, after what seals the message)" };
        match describe(attribute, id) {
            Ok(text) => println!("{at:4}  {kind} [{length}]  {text}{note}"),
            Err(error) => {
                println!("{at:4}  {kind} [{length}]  malformed{note}");
                problems.push(format!("at byte {at}: {error}"));
            }
        }
        let padding = value.len().next_multiple_of(4) - value.len();
        if reader.take(padding).is_none() {
            println!("{:4}  the padding is cut off", bytes.len());
            return;
        }
    }
}

fn print_integrity(message: &Message<'_>, password: Option<&str>, problems: &mut Vec<String>) {
    let key = password.map(IntegrityKey::short_term);
    let checks = [
        ("integrity   ", message.has_integrity(), key.as_ref().map(|key| message.verify(key))),
        (
            "sha-256     ",
            message.has_integrity_sha256(),
            key.as_ref().map(|key| message.verify_sha256(key)),
        ),
    ];
    for (name, is_there, result) in checks {
        match (is_there, result) {
            (false, _) => println!("{name} none"),
            (true, None) => println!("{name} not verified: no --password"),
            (true, Some(Ok(()))) => println!("{name} right"),
            (true, Some(Err(error))) => problems.push(error.to_string()),
        }
    }
}

fn transaction_id(header: &[u8; HEADER_LENGTH]) -> TransactionId {
    let [_, _, _, _, _, _, _, _, id @ ..] = *header;
    TransactionId::new(id)
}

/// The error, and where it is.
fn explain(error: ParseError) -> String {
    let is_length = matches!(error, ParseError::Unaligned(_) | ParseError::Length { .. });
    let at = if matches!(error, ParseError::FirstByte(_)) {
        Some(0)
    } else if is_length {
        Some(2)
    } else {
        matches!(error, ParseError::Cookie(_)).then_some(4)
    };
    at.map_or(error.to_string(), |at| format!("at byte {at}: {error}"))
}
