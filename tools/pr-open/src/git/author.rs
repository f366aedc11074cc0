//! An author, parsed from `Name <mail>`.

use std::fmt;
use std::str::FromStr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub name: String,
    pub mail: String,
}

impl FromStr for Author {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.trim().strip_suffix('>').and_then(|text| text.split_once('<'));
        let clean = |part: &str| !part.is_empty() && !part.contains(['<', '>', '\n', '\0']);
        match parts.map(|(name, mail)| (name.trim(), mail.trim())) {
            Some((name, mail)) if clean(name) && clean(mail) => {
                Ok(Self { name: name.into(), mail: mail.into() })
            }
            _ => Err(format!("'{text}' is not of the form Name <mail>")),
        }
    }
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.mail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_mail() {
        let author: Author = "Red Fix <a@b>".parse().unwrap();
        assert_eq!(author.to_string(), "Red Fix <a@b>");
        for bad in ["", "x", "<a@b>", "x <>", "x <a", "a <b> <c>", "a\nb <c>"] {
            assert!(bad.parse::<Author>().is_err(), "{bad}");
        }
    }
}
