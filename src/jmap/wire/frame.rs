//! WebSocket frames (RFC 6455 §5) as a server reads and writes them. No extension is spoken, so the
//! reserved bits are zero.

/// What a frame carries (RFC 6455 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message before.
    Continuation,
    /// Text.
    Text,
    /// Octets.
    Binary,
    /// The end.
    Close,
    /// Wants a pong.
    Ping,
    /// Answers a ping.
    Pong,
}

impl Opcode {
    fn of(bits: u8) -> Option<Opcode> {
        Some(match bits {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Opcode::Continuation => 0,
            Opcode::Text => 1,
            Opcode::Binary => 2,
            Opcode::Close => 8,
            Opcode::Ping => 9,
            Opcode::Pong => 10,
        }
    }

    /// Whether it may come in between the frames of a message (RFC 6455 §5.5).
    pub fn is_control(self) -> bool {
        self.bits() >= 8
    }
}

/// One frame from a client, its mask taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The last of its message.
    pub last: bool,
    /// What it is.
    pub opcode: Opcode,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// Why the connection ends; the number is the status code of the close frame (RFC 6455 §7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// The client does not keep to the protocol.
    Protocol = 1002,
    /// The frame is longer than a message may be.
    TooLong = 1009,
}

/// Takes the first frame off `input`, of at most `most` octets; None: there is more to come.
pub fn take(input: &mut Vec<u8>, most: u64) -> Result<Option<Frame>, FrameError> {
    let Some((&[first, second], rest)) = input.split_first_chunk::<2>() else {
        return Ok(None);
    };
    let opcode = Opcode::of(first & 15).ok_or(FrameError::Protocol)?;
    let last = first & 0x80 != 0;
    // RFC 6455 §5.1: a client masks every frame; §5.5: control frames are whole and short.
    let wrong = opcode.is_control() && (!last || second & 0x7f > 125);
    if first & 0x70 != 0 || second & 0x80 == 0 || wrong {
        return Err(FrameError::Protocol);
    }
    let (length, rest) = match second & 0x7f {
        126 => match rest.split_first_chunk::<2>() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        short => (u64::from(short), rest),
    };
    if length > most {
        return Err(FrameError::TooLong);
    }
    let Some((mask, rest)) = rest.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = usize::try_from(length).map_err(|_| FrameError::TooLong)?;
    let Some(masked) = rest.get(..length) else {
        return Ok(None);
    };
    let payload = masked
        .iter()
        .zip(mask.iter().cycle())
        .map(|(octet, mask)| octet ^ mask)
        .collect();
    let used = input.len() - (rest.len() - length);
    input.drain(..used);
    Ok(Some(Frame {
        last,
        opcode,
        payload,
    }))
}

/// Appends a frame to `out`; a server does not mask.
pub fn put(out: &mut Vec<u8>, opcode: Opcode, last: bool, payload: &[u8]) {
    out.push(opcode.bits() | u8::from(last) << 7);
    match payload.len() {
        short @ 0..=125 => out.push(short as u8),
        medium @ 126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 6455 §5.7.
    #[test]
    fn examples() {
        let masked = [
            0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
        ];
        let mut input = masked.to_vec();
        input.push(0x88);
        let frame = take(&mut input, 100).unwrap().unwrap();
        assert_eq!((frame.opcode, frame.last), (Opcode::Text, true));
        assert_eq!(frame.payload, b"Hello");
        assert_eq!(input, [0x88]);
        let mut out = Vec::new();
        put(&mut out, Opcode::Text, false, b"Hel");
        put(&mut out, Opcode::Continuation, true, b"lo");
        assert_eq!(out, [1, 3, 0x48, 0x65, 0x6c, 0x80, 2, 0x6c, 0x6f]);
        for cut in 0..masked.len() {
            assert_eq!(take(&mut masked[..cut].to_vec(), 100), Ok(None));
        }
        assert_eq!(take(&mut masked.to_vec(), 4), Err(FrameError::TooLong));
    }

    #[test]
    fn wrong_ones() {
        for bad in [
            [0x81, 0x05], // unmasked
            [0xc1, 0x85], // a reserved bit
            [0x83, 0x85], // an opcode that is none
            [0x09, 0x85], // a ping in pieces
            [0x89, 0xfe], // a long ping
        ] {
            assert_eq!(
                take(&mut bad.to_vec(), 9),
                Err(FrameError::Protocol),
                "{bad:x?}"
            );
        }
        let huge = [&[0x81, 0xff][..], &[0xff; 8]].concat();
        assert_eq!(take(&mut huge.clone(), 1 << 20), Err(FrameError::TooLong));
    }

    proptest! {
        #[test]
        fn lengths_come_back(length in prop_oneof![0usize..200, 65_500usize..65_600], mask: [u8; 4]) {
            let payload = vec![b'x'; length];
            let mut out = Vec::new();
            put(&mut out, Opcode::Binary, true, &payload);
            let head = out.len() - length;
            let masked = payload.iter().zip(mask.iter().cycle()).map(|(o, m)| o ^ m);
            let mut input = [&out[..1], &[out[1] | 0x80], &out[2..head], &mask].concat();
            input.extend(masked);
            let frame = take(&mut input, 1 << 20).unwrap().unwrap();
            prop_assert_eq!(frame.payload, payload);
            prop_assert!(input.is_empty());
        }

        #[test]
        fn junk_does_not_panic(mut input in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = take(&mut input, 20);
        }
    }
}
