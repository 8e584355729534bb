//! The MIME scanner over whole messages: a corpus, and another parser to agree with.
mod agree;
