//! How an operation inside the writer fails: refused, or the store's own trouble.

use super::Error;
use crate::store;

/// A refusal is an answer, and the others of the same commit go on; a storage error fails the whole
/// commit.
pub(super) enum Fail {
    Refused(Error),
    /// Boxed: it is rare, and every step of an operation returns this.
    Store(Box<store::Error>),
}

impl From<Error> for Fail {
    fn from(error: Error) -> Fail {
        Fail::Refused(error)
    }
}

impl From<store::Error> for Fail {
    fn from(error: store::Error) -> Fail {
        Fail::Store(Box::new(error))
    }
}

/// What operations return inside the writer.
pub(super) type Done<T> = std::result::Result<T, Fail>;

/// Parts the two kinds for the writer.
pub(super) fn part<T>(done: Done<T>) -> std::result::Result<super::Result<T>, store::Error> {
    match done {
        Ok(value) => Ok(Ok(value)),
        Err(Fail::Refused(error)) => Ok(Err(error)),
        Err(Fail::Store(error)) => Err(*error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They travel through every call: two words are what registers take.
    #[test]
    fn errors_are_small() {
        let words = 2 * size_of::<u64>();
        assert!(size_of::<Error>() <= words);
        assert!(size_of::<store::Error>() <= words);
        assert!(size_of::<Fail>() <= words);
        assert!(size_of::<Done<()>>() <= words);
    }
}
