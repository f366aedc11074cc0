//! Reads the log of one container, from the engine or from the log driver's files, into lines in bounded memory.

pub mod chunk;
pub mod file;
pub mod hold;
pub mod line;
pub mod reader;
pub mod resume;
