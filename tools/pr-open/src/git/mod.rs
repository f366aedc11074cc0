//! Runs git for a pull request: in a bare temporary repository, and pushing one explicit refspec.

mod author;
mod push;
mod refusal;
mod run;
mod work;

pub use author::Author;
pub use push::Pushed;
pub use refusal::UNTRUSTED_HINT;
pub use run::{Git, Output};
pub use work::{Remote, Work};
