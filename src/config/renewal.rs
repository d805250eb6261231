//! What of a configuration may change while the node runs.

use toml::{Table, Value};

use super::Config;

impl Config {
    /// This one, with what may change as `read` has it.
    pub fn renewed_by(&self, read: &Config) -> Config {
        let mut config = self.clone();
        // Without any key at the start the node was built for nobody to come so. With some, the
        // last may go: then nobody is believed.
        if self.clients.has_keys() {
            config.clients.clone_from(&read.clients);
        }
        config.turn.clone_from(&read.turn);
        config.features.clone_from(&read.features);
        config.http.origins.clone_from(&read.http.origins);
        // Whether https is served at all is decided at the start.
        if self.http.cert.as_os_str().is_empty() == read.http.cert.as_os_str().is_empty() {
            config.http.cert.clone_from(&read.http.cert);
            config.http.key.clone_from(&read.http.key);
        }
        config.signal.messages_per_s = read.signal.messages_per_s;
        config.signal.messages_burst = read.signal.messages_burst;
        config.signal.resend_timeout = read.signal.resend_timeout;
        config.signal.default_answer = read.signal.default_answer;
        config.log.level = read.log.level;
        config
    }

    /// The names of the keys that `other` has otherwise, `section.key`.
    pub fn differs_from(&self, other: &Config) -> Vec<String> {
        let (own, other) = (self.table(), other.table());
        let mut names = Vec::new();
        for (section, keys) in &own {
            for (key, value) in keys.as_table().into_iter().flatten() {
                let there = other.get(section).and_then(|keys| keys.get(key));
                if there != Some(value) {
                    names.push(format!("{section}.{key}"));
                }
            }
        }
        names
    }

    fn table(&self) -> Table {
        match Value::try_from(self) {
            Ok(Value::Table(table)) => table,
            _ => Table::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogLevel;

    #[test]
    fn what_may_change_changes_and_the_rest_is_named() {
        let old = Config::default();
        let mut read = Config::default();
        read.log.level = LogLevel::Debug;
        read.http.origins = vec!["https://chat.example".to_owned()];
        read.turn.secret = "north".to_owned();
        read.media.port = 9_000;
        read.http.cert = "cert.pem".into();
        read.clients.secrets = vec!["x".repeat(32)];
        let new = old.renewed_by(&read);
        let changed = new.differs_from(&old);
        assert_eq!(changed, ["http.origins", "log.level", "turn.secret"]);
        let waiting = read.differs_from(&new);
        assert_eq!(waiting, ["clients.secrets", "http.cert", "media.port"]);
        assert!(new.differs_from(&new).is_empty());
    }

    #[test]
    fn keys_that_let_people_in_are_replaced_where_there_are_some() {
        let with = |secret: &str| {
            let mut config = Config::default();
            config.clients.secrets = vec![secret.repeat(32)];
            config
        };
        let new = with("a").renewed_by(&with("b"));
        assert_eq!(new.clients, with("b").clients);
        assert_eq!(new.renewed_by(&Config::default()).clients, Config::default().clients);
    }
}
