//! QR codes in the terminal.
use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules around it (ISO/IEC 18004 §9.1).
const QUIET: i32 = 4;

/// Two rows of modules are one of characters. Colours are said, black on white of the palette's part that
/// themes leave alone: as the terminal has them, the code would be negative on every other one.
///
/// # Errors
/// A sentence: it is too long.
pub fn draw(text: &str) -> Result<String, String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low)
        .map_err(|_| "there is too much to say for a QR code")?;
    let all = -QUIET..code.size() + QUIET;
    let mut out = String::new();
    for y in all.clone().step_by(2) {
        out.push_str("\x1b[38;5;16;48;5;231m");
        for x in all.clone() {
            out.push(match (code.get_module(x, y), code.get_module(x, y + 1)) {
                (true, true) => '\u{2588}',
                (true, false) => '\u{2580}',
                (false, true) => '\u{2584}',
                (false, false) => ' ',
            });
        }
        out.push_str("\x1b[0m\n");
    }
    Ok(out)
}
