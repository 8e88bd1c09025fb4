use std::io::{self, Write};

use pinhole_sdp::Description;

use crate::input::Input;

/// Reads each file, writes it again from its lines, and compares. The last line is the sum.
pub(crate) fn run(files: &[String], out: &mut impl Write) -> io::Result<bool> {
    let (mut exact, mut errors) = (0, 0);
    for file in files {
        let input = Input::read(file)?;
        match input.parse() {
            Ok(description) if rewritten(&description) == input.bytes => exact += 1,
            Ok(_) => writeln!(out, "{file}: not the same bytes")?,
            Err(error) => {
                errors += 1;
                writeln!(out, "{}", input.show("error", error))?;
            }
        }
    }
    writeln!(out, "{} files, {exact} byte-exact, {errors} errors", files.len())?;
    Ok(exact == files.len())
}

fn rewritten(description: &Description<'_>) -> Vec<u8> {
    let media = description.media().flat_map(|media| media.lines());
    let lines = description.session().lines().chain(media);
    lines.flat_map(|line| [line.bytes(), line.ending()].concat()).collect()
}
