//! Counts the octets of BDAT chunks (RFC 3030 §2).
//!
//! The octets behind a BDAT line belong to it whatever the server thinks of the command: a refused
//! chunk is still read and thrown away, or it would be taken for commands.

/// One chunk on its way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    left: u64,
}

impl Chunk {
    /// A chunk of `size` octets, of which none has come.
    pub fn new(size: u64) -> Chunk {
        Chunk { left: size }
    }

    /// Cuts what belongs to the chunk off the front of `input`, and counts it.
    pub fn take<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(input.len());
        // `most` fits in a u64: it came from one or is smaller than it.
        self.left -= most as u64;
        input.get(..most).unwrap_or(input)
    }

    /// Whether the chunk is complete.
    pub fn is_done(&self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn takes_exactly_its_octets(size in 0u64..100, input in proptest::collection::vec(any::<u8>(), 0..120), cut in 1usize..20) {
            let mut chunk = Chunk::new(size);
            let mut taken = Vec::new();
            for piece in input.chunks(cut) {
                taken.extend_from_slice(chunk.take(piece));
            }
            let want = input.len().min(size as usize);
            prop_assert_eq!(&taken, &input[..want]);
            prop_assert_eq!(chunk.is_done(), taken.len() as u64 == size);
        }
    }
}
