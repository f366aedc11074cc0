//! Finds secrets in command lines whose flags do not say that they are secret: `redis-cli -a x`, `mysql -px`,
//! `curl -u user:x`, `vault operator unseal x`. The line may be a shell's or a JSON list.

use super::value::{is_harmless, is_likely, is_random, is_state};

/// Where a secret stands in the words behind a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The word behind this flag, or what is attached to it.
    Behind(&'static str),
    /// Only what is attached to this flag: the word behind it is something else.
    Attached(&'static str),
    /// What stands behind the first colon (or `%`) of the word behind this flag.
    Pair(&'static str),
    /// The word behind this one.
    Word(&'static str),
    /// The last of this many words that are no flags.
    Nth(usize),
}

struct Command {
    /// What its name begins with.
    name: &'static str,
    /// A word that must come first: only then are the flags read.
    after: Option<&'static str>,
    places: &'static [Place],
}

use Place::{Attached, Behind, Nth, Pair, Word};

const COMMANDS: &[Command] = &[
    Command { name: "redis-cli", after: None, places: &[Behind("-a"), Behind("--pass")] },
    Command { name: "valkey-cli", after: None, places: &[Behind("-a"), Behind("--pass")] },
    Command { name: "keydb-cli", after: None, places: &[Behind("-a"), Behind("--pass")] },
    Command { name: "mysql", after: None, places: &[Attached("-p")] },
    Command { name: "mariadb", after: None, places: &[Attached("-p")] },
    Command { name: "mongo", after: None, places: &[Behind("-p")] },
    Command { name: "docker", after: Some("login"), places: &[Behind("-p")] },
    Command { name: "podman", after: Some("login"), places: &[Behind("-p")] },
    Command { name: "nerdctl", after: Some("login"), places: &[Behind("-p")] },
    Command { name: "helm", after: Some("login"), places: &[Behind("-p")] },
    Command { name: "oras", after: Some("login"), places: &[Behind("-p")] },
    Command { name: "skopeo", after: Some("login"), places: &[Behind("-p")] },
    Command { name: "oc", after: Some("login"), places: &[Behind("-p")] },
    Command { name: "az", after: Some("login"), places: &[Behind("-p")] },
    Command { name: "sshpass", after: None, places: &[Behind("-p")] },
    Command { name: "ldap", after: None, places: &[Behind("-w"), Behind("-s")] },
    Command {
        name: "curl",
        after: None,
        places: &[Pair("-u"), Pair("--user"), Pair("-U"), Pair("--proxy-user")],
    },
    Command { name: "etcdctl", after: None, places: &[Pair("--user")] },
    Command { name: "smbclient", after: None, places: &[Pair("-U")] },
    Command {
        name: "openssl",
        after: None,
        places: &[Behind("-k"), Pair("-pass"), Pair("-passin"), Pair("-passout")],
    },
    Command { name: "vault", after: None, places: &[Word("unseal"), Word("login")] },
    Command { name: "bao", after: None, places: &[Word("unseal"), Word("login")] },
    Command { name: "htpasswd", after: Some("-b"), places: &[Nth(3)] },
    Command { name: "mosquitto_", after: None, places: &[Behind("-P")] },
    Command { name: "mosquitto_passwd", after: Some("-b"), places: &[Nth(3)] },
    Command { name: "sqlcmd", after: None, places: &[Behind("-P")] },
    Command { name: "ipmitool", after: None, places: &[Behind("-P")] },
    Command { name: "rabbitmqctl", after: Some("add_user"), places: &[Nth(3)] },
    Command { name: "rabbitmqctl", after: Some("change_password"), places: &[Nth(3)] },
    Command { name: "snmp", after: None, places: &[Behind("-A"), Behind("-X"), Behind("-c")] },
    Command { name: "7z", after: None, places: &[Attached("-p")] },
    Command { name: "lftp", after: None, places: &[Pair("-u")] },
];

/// Calls `on` with the place of each secret in the command lines of `line`.
pub(super) fn find(line: &[u8], mut on: impl FnMut(usize, usize)) {
    let mut running = Running::default();
    let mut words = Words { line, at: 0 };
    while let Some((start, end)) = words.next() {
        let Ok(word) = std::str::from_utf8(&line[start..end]) else { continue };
        if let Some((from, to)) = running.step(word) {
            on(start + from, start + to);
        }
        if words.ends_command(end) {
            running = Running::default();
        }
    }
}

/// What is known of the command that is being read.
#[derive(Default)]
struct Running {
    commands: Vec<&'static Command>,
    /// Words that came behind the command's name, for [`Command::after`].
    seen: Vec<&'static str>,
    /// How many words that are no flags came behind the command's name.
    plain: usize,
    wanted: Option<Want>,
}

#[derive(Clone, Copy)]
enum Want {
    Any,
    Pair,
    /// Behind a flag of no known command: only what looks like a secret.
    Random,
    RandomPair,
}

impl Running {
    /// Takes the next word, and says which part of it is secret.
    fn step(&mut self, word: &str) -> Option<(usize, usize)> {
        // A flag with its value may stand between: `unseal -address=x KEY`.
        if self.wanted.is_some() && word.starts_with('-') && word.contains('=') && !is_random(word) {
            return None;
        }
        if let Some(want) = self.wanted.take()
            && !word.starts_with('-')
        {
            self.plain += 1;
            return secret(word, 0, want);
        }
        let program = !word.contains('/')
            || ["/usr", "/bin", "/sbin", "/opt", "./"].iter().any(|place| word.starts_with(place));
        let name = if program { word.rsplit('/').next().unwrap_or(word) } else { word };
        let named: Vec<&Command> = COMMANDS.iter().filter(|command| is_command(name, command.name)).collect();
        if !named.is_empty() && !word.starts_with('-') {
            // `docker exec db mysql -px` runs another command within the first.
            self.commands = named;
            self.seen.clear();
            self.plain = 0;
            return None;
        }
        for command in &self.commands {
            if let Some(after) = command.after
                && (word == after
                    || after.starts_with('-') && word.starts_with('-') && word.contains(&after[1..]))
                && !self.seen.contains(&after)
            {
                self.seen.push(after);
                if !word.starts_with('-') {
                    self.plain += 1;
                }
                return None;
            }
        }
        if !word.starts_with('-') {
            self.plain += 1;
        }
        for command in &self.commands {
            if command.after.is_some_and(|after| !self.seen.contains(&after)) {
                continue;
            }
            for place in command.places {
                match *place {
                    Behind(flag) | Pair(flag) if word == flag => {
                        self.wanted = Some(if matches!(place, Pair(_)) { Want::Pair } else { Want::Any });
                        return None;
                    }
                    Word(behind) if word == behind => {
                        self.wanted = Some(Want::Any);
                        return None;
                    }
                    Behind(flag) | Attached(flag)
                        if !flag.starts_with("--") && word.starts_with(flag) && word.len() > 3 =>
                    {
                        return secret(word, flag.len(), Want::Any);
                    }
                    Pair(flag)
                        if word.starts_with(flag)
                            && word.len() > flag.len() + 1
                            && (flag.len() == 2 || word[flag.len()..].starts_with('=')) =>
                    {
                        let from = flag.len() + usize::from(word[flag.len()..].starts_with('='));
                        return secret(word, from, Want::Pair);
                    }
                    Nth(number) if !word.starts_with('-') && self.plain == number => {
                        return secret(word, 0, Want::Any);
                    }
                    _ => {}
                }
            }
        }
        match word {
            "-a" | "-p" | "-w" | "-P" | "-k" | "-t" => self.wanted = Some(Want::Random),
            "-u" | "--user" => self.wanted = Some(Want::RandomPair),
            _ if word.starts_with("-p") && !word.starts_with("--") => return secret(word, 2, Want::Random),
            _ => {}
        }
        None
    }
}

fn is_command(word: &str, name: &str) -> bool {
    let open = ["mysql", "mariadb", "mongo", "ldap", "mosquitto_", "snmp", "7z"].contains(&name);
    let rest = word.strip_prefix(name);
    rest.is_some_and(|rest| {
        rest.is_empty()
            || open && word != "mysqld" && rest.bytes().all(|b| b.is_ascii_lowercase() || b"-_".contains(&b))
    })
}

/// The part of `word` behind `from` that is secret.
fn secret(word: &str, from: usize, want: Want) -> Option<(usize, usize)> {
    let text = &word[from..];
    match want {
        Want::Any => {
            let text = text.strip_prefix("token=").unwrap_or(text);
            let long = text.len() >= 3 && !is_harmless(text) && !is_state(text);
            long.then_some((word.len() - text.len(), word.len()))
        }
        Want::Pair | Want::RandomPair => {
            let at = text.find([':', '%', ','])?;
            let secret = &text[at + 1..];
            let sure = matches!(want, Want::Pair) || is_random(secret);
            (at > 0 && secret.len() >= 3 && !is_harmless(secret) && sure)
                .then_some((from + at + 1, word.len()))
        }
        Want::Random => {
            let mixed = text.len() >= 10
                && is_random(text)
                && is_likely(text)
                && !text.contains(['/', ':', '.', ',', '=']);
            mixed.then_some((from, word.len()))
        }
    }
}

/// The words of a command line, without quotes, brackets and the commas of a list.
struct Words<'l> {
    line: &'l [u8],
    at: usize,
}

impl Words<'_> {
    fn next(&mut self) -> Option<(usize, usize)> {
        let skip = |byte: &u8| byte.is_ascii_whitespace() || b"\"'[](),`\\".contains(byte);
        let start = self.at + self.line[self.at..].iter().take_while(|byte| skip(byte)).count();
        let stop = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`".contains(byte);
        let mut end = start + self.line[start..].iter().take_while(|byte| !stop(byte)).count();
        self.at = end;
        while end > start && b",])\\;".contains(&self.line[end - 1]) {
            end -= 1;
        }
        (start < self.line.len()).then_some((start, end.max(start)))
    }

    /// Whether a sign that ends a command stands behind the word.
    fn ends_command(&self, end: usize) -> bool {
        let rest = self.line[end..].trim_ascii_start();
        [b"|".as_slice(), b";", b"&&"].iter().any(|sign| rest.starts_with(sign))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_commands() {
        for (line, found) in [
            ("redis-cli -h cache -a hunter22 ping", "hunter22"),
            ("mysql -uroot -phunter22 -e 'select 1'", "hunter22"),
            ("docker exec db mysqldump -u root -phunter22 app", "hunter22"),
            ("mongosh -u root -p hunter22 --eval x", "hunter22"),
            ("docker login -u ci -p hunter22 registry.example", "hunter22"),
            ("ldapwhoami -D cn=admin -w hunter22", "hunter22"),
            ("curl -u svc:hunter22 https://x", "hunter22"),
            ("openssl rsa -passin pass:hunter22 -in k.pem", "hunter22"),
            ("vault operator unseal hunter22", "hunter22"),
            ("vault login token=hunter22", "hunter22"),
            ("htpasswd -nb admin hunter22", ""),
            ("htpasswd -b /etc/htpasswd admin hunter22", "hunter22"),
            ("rabbitmqctl add_user app hunter22", "hunter22"),
            (r#"["mysqladmin","-phunter22","ping"]"#, "hunter22"),
            (r#"["redis-cli","-a","hunter22","ping"]"#, "hunter22"),
            ("sh -c x -a 1e16W93kd01Zq7LmX2 y", "1e16W93kd01Zq7LmX2"),
            ("mkdir -p /var/lib/app2x9k3", ""),
            ("docker run -p 8080:80 nginx", ""),
            ("docker run -u 1000:1000 nginx", ""),
            ("docker ps -a 3f4e1a9b0c7d", ""),
            ("mysqld -p 3306", ""),
            ("vault operator unseal -help", ""),
        ] {
            let mut all = Vec::new();
            find(line.as_bytes(), |start, end| all.push(&line[start..end]));
            assert_eq!(all.concat(), found, "{line}");
        }
    }
}
