//! Throughput of the MIME scanner: `cargo bench --bench scan` (or `--profile quick`).
//!
//! Prints MB/s for the bodies that matter, and the size of the stored structure.
use std::time::{Duration, Instant};

use pillarbox::mime::{Scanner, transfer::Base64};

fn main() {
    let octets: Vec<u8> = (0..16u32 << 20)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let mut base64 = Vec::new();
    let mut encoder = Base64::default();
    encoder.push(&octets, &mut base64);
    encoder.finish(&mut base64);
    let text = "The quick brown fox jumps over the lazy dog, again and again and again.\r\n"
        .repeat(200_000);
    let quoted =
        "Der schnelle =C3=BCber=20Fuchs springt =\r\nnochmals und nochmals und nochmals.\r\n"
            .repeat(200_000);
    run(
        "base64 attachment",
        &part("application/pdf", "base64", &base64),
    );
    run("7bit text", &part("text/plain", "7bit", text.as_bytes()));
    run(
        "quoted-printable",
        &part("text/html", "quoted-printable", quoted.as_bytes()),
    );
    let small = part("text/plain", "7bit", b"Hello there.\r\n");
    let started = Instant::now();
    let mut count = 0u32;
    while started.elapsed() < Duration::from_secs(1) {
        let mut scanner = Scanner::new();
        scanner.push(&small);
        std::hint::black_box(scanner.finish());
        count += 1;
    }
    let each = started.elapsed().as_nanos() / u128::from(count);
    println!(
        "{:>20}: {each} ns for a message of {} octets",
        "small message",
        small.len()
    );
}

/// A message like any other, with one part of this body.
fn part(media: &str, encoding: &str, body: &[u8]) -> Vec<u8> {
    let mut message = format!(
        "Return-Path: <sender@example.org>\r\nReceived: from mx.example.org (mx.example.org [192.0.2.1])\r\n\
         \tby mail.example.net with ESMTPS id 1; Sat, 21 Nov 2026 11:05:28 +0000\r\n\
         From: Sender <sender@example.org>\r\nTo: Receiver <receiver@example.net>\r\n\
         Subject: Re: the report\r\nMessage-ID: <0123456789abcdef@example.org>\r\n\
         In-Reply-To: <fedcba9876543210@example.net>\r\nDate: Sat, 21 Nov 2026 12:05:27 +0100\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_0123456789abcdef\"\r\n\r\n\
         --=_0123456789abcdef\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nSee below.\r\n\
         --=_0123456789abcdef\r\nContent-Type: {media}; name=\"report\"\r\n\
         Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    .into_bytes();
    message.extend_from_slice(body);
    message.extend_from_slice(b"\r\n--=_0123456789abcdef--\r\n");
    message
}

fn run(name: &str, message: &[u8]) {
    let mut best = Duration::MAX;
    let mut stored = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        let mut scanner = Scanner::new();
        message.chunks(16 * 1024).for_each(|it| scanner.push(it));
        let structure = std::hint::black_box(scanner.finish());
        best = best.min(started.elapsed());
        stored.clear();
        structure.encode(&mut stored);
    }
    let speed = message.len() as f64 / best.as_secs_f64() / 1e6;
    println!(
        "{name:>20}: {speed:.0} MB/s, structure {} octets",
        stored.len()
    );
}
