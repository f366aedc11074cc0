//! The case key, `recipe@version/test`: all records about one failing test (or deploy, promotion, ...) carry the same
//! one.

use std::fmt;

use crate::error::{Error, Result};

/// Stands in a case key for the version where no record names the recipe's version.
pub const UNVERSIONED: &str = "unversioned";

/// `recipe@version/test`; `test` may itself hold slashes (`custom/test_x.py::test_y`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseKey {
    pub recipe: String,
    pub version: String,
    pub test: String,
}

impl CaseKey {
    pub fn parse(text: &str) -> Result<Self> {
        let parts = text.split_once('@').and_then(|(recipe, rest)| {
            let (version, name) = rest.split_once('/')?;
            let whole = !recipe.is_empty() && !version.is_empty() && !name.is_empty();
            whole.then(|| Self { recipe: recipe.into(), version: version.into(), test: name.into() })
        });
        parts.ok_or_else(|| {
            Error::cannot("reading a case key", "not of the form recipe@version/test").on(format!("'{text}'"))
        })
    }
}

impl fmt::Display for CaseKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}@{}/{}", self.recipe, self.version, self.test)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints() {
        let text = "mumble@1.0.0+v1.6.870-0/custom/test_x.py::test_y";
        let key = CaseKey::parse(text).unwrap();
        assert_eq!((key.recipe.as_str(), key.test.as_str()), ("mumble", "custom/test_x.py::test_y"));
        assert_eq!(key.to_string(), text);
        for bad in ["", "mumble", "mumble@1", "@1/x", "m@/x", "m@1/"] {
            assert!(CaseKey::parse(bad).is_err(), "{bad}");
        }
    }
}
