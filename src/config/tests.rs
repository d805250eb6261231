use std::path::Path;
use std::time::Duration;

use clap::Parser;

use super::*;

const DEFAULTS: &str = include_str!("../../config/default.toml");
const EXAMPLE: &str = include_str!("../../config/example.toml");

fn flags(arguments: &[&str]) -> ServeFlags {
    match Cli::try_parse_from([&["voxhall"], arguments].concat()).unwrap().command() {
        Command::Serve(flags) => flags,
        other => panic!("not the command under test: {other:?}"),
    }
}

fn laid(file: &str, environment: &[(&str, &str)], arguments: &[&str]) -> Result<Config, String> {
    let environment = environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Config::from_layers(Some((Path::new("vox.toml"), file)), environment, &flags(arguments))
        .map_err(|error| error.to_string())
}

#[track_caller]
fn refused(file: &str, environment: &[(&str, &str)], arguments: &[&str], names: &[&str]) {
    let error = laid(file, environment, arguments).expect_err("this configuration is wrong");
    for name in names {
        assert!(error.contains(name), "`{name}` is not named in: {error}");
    }
}

#[test]
fn default_file_holds_every_key_with_its_default() {
    let file: toml::Table = DEFAULTS.parse().unwrap();
    assert_eq!(file, toml::Table::try_from(Config::default()).unwrap());
}

#[test]
fn default_file_says_why_before_every_key() {
    let mut above = "";
    for line in DEFAULTS.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(above.starts_with('#'), "no reason above: {line}");
        }
        above = line;
    }
}

#[test]
fn example_file_is_a_whole_configuration() {
    let secret = [("VOXHALL_CORE_SECRET", "0123456789abcdef0123456789abcdef")];
    let config = laid(EXAMPLE, &secret, &[]).unwrap();
    assert_ne!(config, Config::default());
}

#[test]
fn a_key_of_a_store_without_its_secret_is_refused_and_the_secret_comes_by_a_variable() {
    let file = "[archive]\nurl = \"s3://calls/of/team\"\naccess_key_id = \"AKIA\"\n";
    refused(file, &[], &[], &["archive.secret_access_key", "archive.access_key_id"]);
    refused("[archive]\nurl = \"calls\"\n", &[], &[], &["line 2: url: ", "s3://bucket"]);
    let secret = [("VOXHALL_ARCHIVE_SECRET_ACCESS_KEY", "s3cret")];
    let config = laid(file, &secret, &[]).unwrap();
    assert_eq!(config.archive.secret_access_key, "s3cret");
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn an_operators_door_beyond_loopback_is_refused_by_name() {
    let file = "[admin]\nlisten = \"0.0.0.0:7999\"\n";
    refused(file, &[], &[], &["admin.listen = 0.0.0.0:7999", "admin.token"]);
    let token = [("VOXHALL_ADMIN_TOKEN", "0123456789abcdef0123456789abcdef")];
    refused(file, &token, &[], &["admin.listen = 0.0.0.0:7999", "https", "http.cert"]);
    let short = [("VOXHALL_ADMIN_TOKEN", "0123456789abcdef")];
    refused("", &short, &[], &["admin.token = [redacted]", "32 characters"]);
}

#[test]
fn a_second_bind_address_is_refused_by_name() {
    let refused = laid("[media]\nbind = [\"10.0.0.1\", \"10.0.0.2\"]\n", &[], &[]).unwrap_err();
    assert!(refused.contains("media.bind = 10.0.0.2"), "{refused}");
}

#[test]
fn nothing_given_is_the_default() {
    let environment = std::iter::empty();
    let config = Config::from_layers(None, environment, &ServeFlags::default()).unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn flag_wins_over_environment_over_file_over_default() {
    let file = "[media]\nport = 1000\nworkers = 2\n[call]\nbuzz_timeout_s = 30";
    let environment = [("VOXHALL_MEDIA_PORT", "2000"), ("VOXHALL_MEDIA_WORKERS", "3")];
    let config = laid(file, &environment, &["--media-port", "3000"]).unwrap();
    assert_eq!(config.media.port, 3000);
    assert_eq!(config.media.workers.count().get(), 3);
    assert_eq!(config.call.buzz_timeout, Duration::from_secs(30));
    assert_eq!(config.call.slots_max.get(), 8);
}

#[test]
fn every_key_has_its_environment_variable() {
    for (section, keys) in toml::Table::try_from(Config::default()).unwrap() {
        for (key, default) in keys.as_table().unwrap() {
            let name = format!("VOXHALL_{section}_{key}").to_uppercase();
            let text = match default {
                toml::Value::String(text) => text.clone(),
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(choice) => choice.to_string(),
                toml::Value::Array(_) => "[]".to_owned(),
                other => panic!("no variable has such a value: {other:?}"),
            };
            assert_eq!(laid("", &[(&name, &text)], &[]), Ok(Config::default()), "{name}");
        }
    }
}

#[test]
fn lists_of_the_environment_are_comma_separated() {
    let config = laid("", &[("VOXHALL_MEDIA_IP", "192.0.2.1, 2001:db8::1")], &[]).unwrap();
    assert_eq!(
        config.media.ip,
        flags(&["--media-ip=192.0.2.1", "--media-ip=2001:db8::1"]).media_ip
    );
    let servers = r#"[{ urls = "turn:t.example.org", username = "u", credential = "p" }]"#;
    let config = laid("", &[("VOXHALL_FEATURES_ICE_SERVERS", servers)], &[]).unwrap();
    assert_eq!(config.features.ice_servers[0].urls, "turn:t.example.org");
}

#[test]
fn every_flag_reaches_its_key() {
    let arguments = [
        "serve",
        "--http",
        "0.0.0.0:9000",
        "--open",
        "--media-ip",
        "192.0.2.1",
        "--media-ip",
        "2001:db8::1",
        "--media-bind",
        "10.0.0.1",
        "--media-port",
        "5000",
        "--workers",
        "4",
        "--data",
        "/var/lib/voxhall",
    ];
    let config = laid("", &[], &arguments).unwrap();
    assert_eq!(config.http.listen.to_string(), "0.0.0.0:9000");
    assert!(config.http.open);
    assert_eq!(config.media.ip.len(), 2);
    assert_eq!(config.media.bind, ["10.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(config.media.worker_port(3), 5003);
    assert_eq!(config.media.workers.count().get(), 4);
    assert_eq!(config.data.dir, Path::new("/var/lib/voxhall"));
}

#[test]
fn error_names_the_source_and_the_key() {
    refused("[media]\nprot = 1", &[], &[], &["vox.toml", "line 2", "prot"]);
    refused("[media]\nport = 70000", &[], &[], &["vox.toml", "port"]);
    refused("[madia]", &[], &[], &["vox.toml", "madia"]);
    refused("[call]\nslots_max = 0", &[], &[], &["vox.toml", "slots_max"]);
    refused("[call]\nbuzz_timeout_s = 0", &[], &[], &["vox.toml", "buzz_timeout_s"]);
    let wrong = [("VOXHALL_MEDIA_PORT", "many")];
    refused("", &wrong, &[], &["VOXHALL_MEDIA_PORT", "media.port", "many"]);
    let wrong = [("VOXHALL_LOG_LEVEL", "loud")];
    refused("", &wrong, &[], &["VOXHALL_LOG_LEVEL", "log.level", "loud"]);
    refused("", &[("VOXHALL_MEDIA_PROT", "1")], &[], &["VOXHALL_MEDIA_PROT"]);
}

#[test]
fn variables_of_others_are_left_alone() {
    let others = [("VOXHALL_PORT", "tcp://10.0.0.1:80"), ("PATH", "/bin")];
    assert_eq!(laid("", &others, &[]), Ok(Config::default()));
}

#[test]
fn listening_beyond_loopback_needs_open() {
    refused("", &[], &["--http", "0.0.0.0:80"], &["http.listen", "flag --http", "--open"]);
    let variable = [("VOXHALL_HTTP_LISTEN", "[::]:80")];
    refused("", &variable, &[], &["http.listen", "VOXHALL_HTTP_LISTEN"]);
    refused("[http]\nlisten = \"192.0.2.1:80\"", &[], &[], &["http.listen", "vox.toml"]);
    assert!(laid("", &variable, &["--open"]).is_ok());
    assert!(laid("", &[], &["--http", "[::1]:80"]).is_ok());
}

#[test]
fn values_that_do_not_fit_together_are_refused() {
    refused("", &[], &["--media-port", "65535", "--workers", "2"], &["media.port", "65535"]);
    assert!(laid("", &[], &["--media-port", "65534", "--workers", "2"]).is_ok());
    let file = "[call]\nmedia_lost_shown_s = 40";
    refused(file, &[], &[], &["call.media_lost_removed_s", "default"]);
    refused("[call]\nslots_max = 65", &[], &[], &["call.slots_max", "vox.toml"]);
    refused("[http]\norigins = [\"chat.example.org\"]", &[], &[], &["http.origins"]);
    refused("[http]\norigins = [\"https://chat.example.org/\"]", &[], &[], &["http.origins"]);
    refused("", &[], &["--media-ip", "0.0.0.0"], &["media.ip", "--media-ip"]);
    for key in ["bundle_60ms_busy_percent", "bundle_loss_percent"] {
        let file = |percent: u8| format!("[media]\n{key} = {percent}");
        assert!(laid(&file(100), &[], &[]).is_ok());
        refused(&file(101), &[], &[], &[key, "101", "vox.toml"]);
    }
}

#[test]
fn unknown_flag_ends_with_code_2_and_help_with_0() {
    let code = |argument| Cli::try_parse_from(["voxhall", argument]).unwrap_err().exit_code();
    assert_eq!((code("--prot"), code("--help"), code("--version")), (2, 0, 0));
}

#[test]
fn demo_is_its_own_command() {
    let command = |arguments: &[&str]| Cli::try_parse_from(arguments).unwrap().command();
    let plain = DemoFlags { url: "http://127.0.0.1:8080".into(), chat: None };
    assert_eq!(command(&["voxhall", "demo"]), Command::Demo(plain.clone()));
    let told = DemoFlags { url: "http://[::1]:1".into(), chat: Some("g-1".into()) };
    let arguments = ["voxhall", "demo", "--url", "http://[::1]:1", "--chat", "g-1"];
    assert_eq!(command(&arguments), Command::Demo(told));
    assert_eq!(command(&["voxhall"]), Command::Serve(ServeFlags::default()));
}

#[test]
fn credential_of_an_ice_server_is_in_no_debug_text() {
    let file = "[[features.ice_servers]]\nurls = \"turn:t\"\ncredential = \"s3cret\"";
    let text = format!("{:?}", laid(file, &[], &[]).unwrap());
    assert!(text.contains("turn:t") && !text.contains("s3cret"), "{text}");
}

#[test]
fn what_is_wrong_in_a_file_is_named_by_its_line_and_no_value_of_it() {
    let secret = "s3cret-s3cret-s3cret-s3cret-s3cret";
    for text in [
        format!("[clients]\nsecrets = \"{secret}\"\n"),
        format!("[core]\nsecret = {secret}\n"),
        format!("[admin]\ntoken = \"{secret}\n"),
    ] {
        let file = std::path::Path::new("/etc/voxhall.toml");
        let read = Config::from_layers(Some((file, &text)), [], &ServeFlags::default());
        let told = read.unwrap_err().to_string();
        assert!(told.contains("line 2") && !told.contains("s3cret"), "{told}");
    }
}
