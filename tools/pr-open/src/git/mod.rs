//! Git, as far as a pull request needs it: no work tree, one explicit refspec.

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
