//! Tests of the configuration: which source wins, and what an error says.

use super::*;
use std::fs;
use tempfile::TempDir;

/// A home directory and the sources to try.
struct Sources {
    home: TempDir,
    args: NodeArgs,
    variables: Vec<(String, String)>,
}

impl Sources {
    fn new() -> Self {
        Self { home: TempDir::new().unwrap(), args: NodeArgs::default(), variables: Vec::new() }
    }

    /// A file in the default data directory.
    fn file(self, text: &str) -> Self {
        let dir = self.home.path().join(DATA_DIR_DEFAULT);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(FILE_NAME), text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn flags(mut self, set: impl FnOnce(&mut NodeArgs)) -> Self {
        set(&mut self.args);
        self
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::from_sources(&self.args, self.variables.clone(), Some(self.home.path()))
    }

    /// The error's text, with the home directory as `~`.
    fn error(&self) -> String {
        self.load().unwrap_err().to_string().replace(&self.home.path().display().to_string(), "~")
    }
}

#[test]
fn without_any_source_it_is_a_regtest_node_on_this_machine_alone() {
    let sources = Sources::new();
    let expected = Config {
        data_dir: sources.home.path().join(".boltgram"),
        network: Network::Regtest,
        esplora_url: "http://127.0.0.1:3002".into(),
        listen: vec!["127.0.0.1:9735".into()],
        grpc: "127.0.0.1:8881".parse().unwrap(),
        http: "127.0.0.1:8882".parse().unwrap(),
        alias: None,
        announce_addresses: vec![],
        log: "info".into(),
    };
    assert_eq!(sources.load().unwrap(), expected);
}

#[test]
fn flags_outrank_the_environment_and_that_outranks_the_file() {
    let file = "alias = 'file'\nlog = 'warn'\nhttp = '127.0.0.1:1'\nlisten = ['127.0.0.1:2', '[::1]:2']";
    let config = Sources::new()
        .file(file)
        .variable("BOLTGRAM_ALIAS", "123")
        .variable("BOLTGRAM_LOG", "debug")
        .variable("BOLTGRAM_GRPC", "")
        .variable("HOME", "elsewhere")
        .flags(|args| args.log = Some("trace".into()))
        .load()
        .unwrap();
    assert_eq!(config.listen, ["127.0.0.1:2", "[::1]:2"]);
    assert_eq!(config.http.port(), 1);
    assert_eq!(config.alias.as_deref(), Some("123"), "a text stays a text");
    assert_eq!(config.log, "trace");
    assert_eq!(config.grpc, GRPC_DEFAULT, "an empty variable is an absent one");
}

#[test]
fn lists_come_from_every_source() {
    let config = Sources::new()
        .variable("BOLTGRAM_LISTEN", "127.0.0.1:1, 127.0.0.1:2")
        .flags(|args| args.announce_address = vec!["node.example:9735".into()])
        .load()
        .unwrap();
    assert_eq!(config.listen, ["127.0.0.1:1", "127.0.0.1:2"]);
    assert_eq!(config.announce_addresses, ["node.example:9735"]);
}

#[test]
fn the_data_directory_can_be_moved_and_its_file_is_found_there() {
    let sources = Sources::new();
    let elsewhere = sources.home.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join(FILE_NAME), "alias = 'there'").unwrap();
    let config = sources.variable("BOLTGRAM_DATA_DIR", "~/elsewhere").load().unwrap();
    assert_eq!((config.data_dir, config.alias.as_deref()), (elsewhere, Some("there")));
}

#[test]
fn a_file_given_by_flag_is_read_instead_and_may_name_the_data_directory() {
    let sources = Sources::new().file("alias = 'not this one'");
    let file = sources.home.path().join("own.toml");
    fs::write(&file, "data_dir = '~/data'").unwrap();
    let config = sources.flags(|args| args.config = Some(file)).load().unwrap();
    assert_eq!(config.alias, None);
    assert!(config.data_dir.ends_with("data"));
}

#[test]
fn an_unknown_key_is_an_error_that_names_its_place_and_the_nearest_key() {
    let error = |text: &str| Sources::new().file(text).error();
    assert_eq!(
        error("netwrok = 'signet'"),
        r#""netwrok" in ~/.boltgram/boltgram.toml is no setting: did you mean network?"#
    );
    assert!(error("[node]\nalias = 'x'").starts_with(r#""node" in ~/.boltgram/boltgram.toml is no setting"#));
    assert!(error("zzz = 1").contains("there are data_dir, network,"));
    assert_eq!(
        Sources::new().variable("BOLTGRAM_ESPLORA", "http://x").error(),
        "the environment variable BOLTGRAM_ESPLORA is no setting: did you mean BOLTGRAM_ESPLORA_URL?"
    );
}

#[test]
fn a_wrong_value_is_told_with_its_place_and_what_is_expected() {
    assert_eq!(
        Sources::new().file("network = 'mainnet'").error(),
        r#"network in ~/.boltgram/boltgram.toml is "mainnet": it must be bitcoin, testnet, signet or regtest"#
    );
    assert_eq!(
        Sources::new().file("network = 5").error(),
        r#"network in ~/.boltgram/boltgram.toml is "5": it must be bitcoin, testnet, signet or regtest"#
    );
    assert!(
        Sources::new().variable("BOLTGRAM_LISTEN", "127.0.0.1").error().starts_with(
            r#"the environment variable BOLTGRAM_LISTEN is "127.0.0.1": it must be one or more HOST:PORT"#
        )
    );
    let flag = Sources::new().flags(|args| args.esplora = Some("127.0.0.1:3002".into())).error();
    assert!(flag.starts_with(r#"--esplora is "127.0.0.1:3002": it must be the URL"#), "{flag}");
    let alias = Sources::new().flags(|args| args.alias = Some("x".repeat(33))).error();
    assert!(alias.contains("1 to 32 bytes"), "{alias}");
    let log = Sources::new().variable("BOLTGRAM_LOG", "boltgram=loud").error();
    assert!(log.contains("BOLTGRAM_LOG") && log.contains("info,boltgram=debug"), "{log}");
}

#[test]
fn an_api_address_off_this_machine_is_refused() {
    for address in ["0.0.0.0:8881", "192.0.2.1:8881", "[::]:8881"] {
        let grpc = Sources::new().flags(|args| args.grpc = Some(address.into())).error();
        assert!(grpc.contains("loopback") && grpc.contains("--grpc"), "{grpc}");
        assert!(Sources::new().file(&format!("http = '{address}'")).error().contains("http in ~/.boltgram"));
    }
    let config = Sources::new().flags(|args| args.grpc = Some("[::1]:0".into())).load().unwrap();
    assert!(config.grpc.is_ipv6());
}

#[test]
fn both_apis_at_one_address_are_refused() {
    assert!(Sources::new().file("http = '127.0.0.1:8881'").error().contains("another port"));
}

#[test]
fn off_regtest_an_esplora_server_must_be_named() {
    let signet = || Sources::new().flags(|args| args.network = Some("signet".into()));
    assert!(signet().error().contains("--esplora"));
    let config = signet().variable("BOLTGRAM_ESPLORA_URL", "https://esplora.example/api/").load().unwrap();
    assert_eq!(config.esplora_url, "https://esplora.example/api");
    assert_eq!(config.listen, ["0.0.0.0:9735"]);
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let broken = Sources::new().file("alias = ");
    assert!(broken.error().contains("boltgram.toml is not valid TOML"), "{}", broken.error());
    let missing = Sources::new().flags(|args| args.config = Some("/nowhere/boltgram.toml".into()));
    assert!(missing.error().contains("/nowhere/boltgram.toml can't be read"));
    let circular = Sources::new().file("data_dir = '/elsewhere'");
    assert!(circular.error().contains("names another data_dir"));
}

#[test]
fn without_a_home_directory_a_data_directory_must_be_named() {
    let error = Config::from_sources(&NodeArgs::default(), [], None).unwrap_err();
    assert!(error.to_string().contains("--data-dir"));
}

#[test]
fn the_annotated_file_that_ships_with_the_binary_has_every_key_and_each_is_valid() {
    let annotated = include_str!("../../../../data/boltgram.toml");
    let is_setting = |line: &&str| line.starts_with('#') && line.contains(" = ") && !line.starts_with("# ");
    let uncommented: Vec<&str> = annotated.lines().filter(is_setting).map(|line| &line[1..]).collect();
    let keys: Vec<&str> = uncommented.iter().filter_map(|line| line.split(" = ").next()).collect();
    assert_eq!(keys, layers::KEYS);

    let sources = Sources::new();
    let file = sources.home.path().join("annotated.toml");
    fs::write(&file, uncommented.join("\n")).unwrap();
    let config = sources.flags(|args| args.config = Some(file)).load().unwrap();
    let defaults = Sources::new().load().unwrap();
    assert_eq!(
        (config.network, config.esplora_url, config.listen, config.grpc, config.http, config.log),
        (defaults.network, defaults.esplora_url, defaults.listen, defaults.grpc, defaults.http, defaults.log),
        "the file shows the defaults"
    );
    assert!(annotated.lines().all(|line| line.is_empty() || line.starts_with('#')), "nothing is set as it ships");
}
