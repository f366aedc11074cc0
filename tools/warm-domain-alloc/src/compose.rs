//! Reads a recipe's compose files: the names of the objects that the engine will create, and the shared networks that
//! the recipe joins.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lib_common::{Error, Result};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The value of a version variable that the files do not set; as long as versions are likely to get (`_v10`).
const VERSION: &str = "v10";

/// The objects of all compose files of a recipe.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Objects {
    pub names: BTreeSet<Named>,
    /// Engine names of the external networks.
    pub shared: BTreeSet<String>,
    /// Private networks with `internal: true`. The engine's DNS asks them after every network that has a way out,
    /// whatever their names.
    pub internal: BTreeSet<String>,
}

/// The name of an object, which depends on the stack's name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    what: &'static str,
    /// The name, with `\0` in the place of the stack's name.
    template: String,
}

impl Named {
    /// The kind of object for messages: "the service", "the config", and so on.
    pub fn what(&self) -> &'static str {
        self.what
    }

    pub fn name_in(&self, stack: &str) -> String {
        self.template.replace('\0', stack)
    }
}

#[derive(Deserialize)]
struct Compose {
    #[serde(default)]
    services: Option<BTreeMap<String, Option<IgnoredAny>>>,
    #[serde(default)]
    networks: Section,
    #[serde(default)]
    volumes: Section,
    #[serde(default)]
    configs: Section,
    #[serde(default)]
    secrets: Section,
}

type Section = Option<BTreeMap<String, Option<Object>>>;

#[derive(Deserialize, Default)]
struct Object {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    external: Option<External>,
    #[serde(default)]
    internal: Option<bool>,
}

/// `external: true`, or the older `external: {name: x}`.
#[derive(Deserialize)]
#[serde(untagged)]
enum External {
    Is(bool),
    Named { name: Option<String> },
}

/// Reads compose files. Variables come from the files `abra.sh` and `.env.sample` beside each of them.
pub fn read(files: &[PathBuf]) -> Result<Objects> {
    let mut objects = Objects::default();
    for file in files {
        let fail = |cause: String| Error::cannot("reading a compose file", cause).on(file.display());
        let text = std::fs::read_to_string(file).map_err(|e| fail(e.to_string()))?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let variables: BTreeMap<String, String> = [".env.sample", "abra.sh"]
            .iter()
            .filter_map(|name| std::fs::read_to_string(folder.join(name)).ok())
            .flat_map(|text| assignments(&text))
            .collect();
        let more = parse(&text, &|name| variables.get(name).cloned()).map_err(fail)?;
        objects.names.extend(more.names);
        objects.shared.extend(more.shared);
        objects.internal.extend(more.internal);
    }
    Ok(objects)
}

/// The objects in one compose file. `variable` gives the value of a variable other than `STACK_NAME`.
pub fn parse(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> std::result::Result<Objects, String> {
    // Only the first line of the error, which has the cause; the rest quotes the file.
    let one_line = |e: serde_saphyr::Error| e.to_string().lines().next().unwrap_or_default().to_owned();
    let compose: Compose = serde_saphyr::from_str(text).map_err(one_line)?;
    let mut objects = Objects::default();
    for service in compose.services.into_iter().flatten().map(|(name, _)| name) {
        objects.names.insert(Named { what: "the service", template: format!("\0_{service}") });
    }
    let sections = [
        ("the network", compose.networks),
        ("the volume", compose.volumes),
        ("the config", compose.configs),
        ("the secret", compose.secrets),
    ];
    for (what, section) in sections {
        for (key, object) in section.into_iter().flatten() {
            let object = object.unwrap_or_default();
            let (external, older_name) = match object.external {
                Some(External::Is(external)) => (external, None),
                Some(External::Named { name }) => (true, name),
                None => (false, None),
            };
            let named = object.name.or(older_name).map(|name| expand(&name, variable));
            if object.internal == Some(true) && !external {
                objects.internal.insert(key.clone());
            }
            let template = match named {
                Some(name) => name,
                None if external => key,
                None => format!("\0_{key}"),
            };
            // An object whose name does not contain the stack's name does not belong to this stack alone.
            if template.contains('\0') {
                objects.names.insert(Named { what, template });
            } else if what == "the network" {
                objects.shared.insert(template);
            }
        }
    }
    Ok(objects)
}

/// Replaces `${STACK_NAME}` by `\0`, and other variables by their value, else their default, else `VERSION`.
fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let end_of_name =
            |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (inner, next) = braced.unwrap_or_else(|| after.split_at(end_of_name(after)));
        let (name, operator) = inner.split_at(end_of_name(inner));
        let default = operator.strip_prefix(":-").or_else(|| operator.strip_prefix('-'));
        match name {
            "STACK_NAME" => out.push('\0'),
            _ => out.push_str(&variable(name).or(default.map(Into::into)).unwrap_or_else(|| VERSION.into())),
        }
        rest = next;
    }
    out + rest
}

/// `NAME=value` and `export NAME=value` lines of a shell file.
fn assignments(text: &str) -> Vec<(String, String)> {
    let one = |line: &str| {
        let line = line.trim();
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let value = value.split([' ', '\t', '#']).next().unwrap_or_default().trim_matches(['"', '\'']);
        let whole = !name.is_empty() && name.chars().all(plain) && !value.contains('$');
        whole.then(|| (name.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
version: "3.8"
x-env: &env
  A: 1
services:
  app:
    image: x:${VERSION}
    environment:
      <<: *env
    networks: [proxy, internal]
  db: {}
networks:
  proxy:
    external: true
  old:
    external:
      name: traefik_public
  internal:
    internal: true
  plain:
volumes:
  data:
  shared:
    name: everybodys
configs:
  app_ini:
    name: ${STACK_NAME}_app_ini_${APP_INI_VERSION}
    file: app.ini
  other:
    name: ${STACK_NAME}_other_${NO_SUCH:-v7}
secrets:
  key:
    external: true
    name: ${STACK_NAME}_key_${SECRET_KEY_VERSION}
"#;

    #[test]
    fn every_name_of_the_stack_is_found() {
        let variable = |name: &str| (name == "APP_INI_VERSION").then(|| "v123".to_owned());
        let objects = parse(TEXT, &variable).unwrap();
        let names: Vec<String> = objects.names.iter().map(|name| name.name_in("s")).collect();
        assert_eq!(
            names,
            ["s_app_ini_v123", "s_other_v7", "s_internal", "s_plain", "s_key_v10", "s_app", "s_db", "s_data"]
        );
        assert_eq!(objects.shared.iter().collect::<Vec<_>>(), ["proxy", "traefik_public"]);
        assert_eq!(objects.internal.iter().collect::<Vec<_>>(), ["internal"]);
    }

    #[test]
    fn variables_expand() {
        let none = |_: &str| None;
        let expanded =
            ["$STACK_NAME-x", "a$$b", "${X-d}", "${X:?must}", "${unclosed"].map(|text| expand(text, &none));
        assert_eq!(expanded, ["\0-x", "a$b", "d", "v10", "v10{unclosed"]);
    }

    #[test]
    fn shell_assignments() {
        let text =
            "export APP_INI_VERSION=v4\n#X=1\nSECRET_KEY_VERSION=v1 # length=43\nY=\"q\"\nZ=$Y\nfoo() {\n";
        let read: Vec<String> =
            assignments(text).iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(read, ["APP_INI_VERSION=v4", "SECRET_KEY_VERSION=v1", "Y=q"]);
    }

    #[test]
    fn what_is_no_compose_file_is_refused() {
        assert!(parse("services: [a, b]", &|_| None).is_err());
        assert!(parse("a: b: c", &|_| None).is_err());
        assert_eq!(parse("version: '3'", &|_| None), Ok(Objects::default()));
    }
}
