//! One container's log: from the engine's bytes to lines held in bounded memory.

pub mod chunk;
pub mod file;
pub mod hold;
pub mod line;
pub mod reader;
pub mod resume;
