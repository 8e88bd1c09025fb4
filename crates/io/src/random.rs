use std::io;

/// Thirty-two random bytes from the operating system, for one machine.
///
/// # Errors
/// When the system has none to give.
pub fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}
