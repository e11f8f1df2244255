//! Tests of the configuration: which source wins, and what an error says.

use super::*;
use std::fs;
use std::path::Path;
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
        let dir = self.home.path().join(".boltgram");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(FILE_NAME), text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn config(mut self, file: &Path) -> Self {
        self.args.config = Some(file.to_owned());
        self
    }

    fn flag(mut self, setting: &'static Setting, value: &str) -> Self {
        self.args.values.push((setting, vec![value.to_owned()]));
        self
    }

    fn load(&self) -> Result<Config, ConfigError> {
        self.load_shown().map(|(config, _)| config)
    }

    fn load_shown(&self) -> Result<(Config, Vec<Shown>), ConfigError> {
        Config::from_sources(&self.args, self.variables.clone(), Some(self.home.path()))
    }

    /// Each setting's first value and origin, with the home directory as `~`.
    fn shown(&self, setting: &'static Setting) -> (String, String) {
        let (_, all) = self.load_shown().unwrap();
        let shown = all.into_iter().find(|shown| shown.setting == setting).unwrap();
        let origin = shown.origin.replace(&self.home.path().display().to_string(), "~");
        (shown.values.first().cloned().unwrap_or_default(), origin)
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
        grpc: GRPC_DEFAULT,
        http: HTTP_DEFAULT,
        insecure_listen: false,
        alias: None,
        announce_addresses: vec![],
        trusted_peers_0conf: vec![],
        retention_days: 0,
        store: StoreKind::Own,
        disk_low_water_mib: 256,
        inbox: boltgram_core::policy::InboxPolicy::default(),
        fee_limit_sat_per_day: None,
        receipts: Budget::default(),
        gossip: Gossip::P2p,
        lsp: None,
        log: "info,ldk=warn".into(),
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
        .flag(&settings::LOG, "trace")
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
        .flag(&settings::ANNOUNCE_ADDRESSES, "node.example:9735")
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
    let config = sources.config(&file).load().unwrap();
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
    assert!(error("lsps2_nod = 'x'").ends_with("did you mean lsps2_node?"));
    assert_eq!(
        Sources::new().variable("BOLTGRAM_ESPLORA", "http://x").error(),
        "the environment variable BOLTGRAM_ESPLORA is no setting: did you mean BOLTGRAM_ESPLORA_URL?"
    );
}

#[test]
fn a_wrong_value_is_told_with_its_place_and_what_is_expected() {
    assert_eq!(
        Sources::new().file("network = 'testnet3'").error(),
        r#"network in ~/.boltgram/boltgram.toml is "testnet3": it must be bitcoin (or mainnet), testnet, signet or regtest"#
    );
    assert_eq!(
        Sources::new().file("network = 5").error(),
        r#"network in ~/.boltgram/boltgram.toml is "5": it must be bitcoin (or mainnet), testnet, signet or regtest"#
    );
    assert!(
        Sources::new().variable("BOLTGRAM_LISTEN", "127.0.0.1").error().starts_with(
            r#"the environment variable BOLTGRAM_LISTEN is "127.0.0.1": it must be one or more HOST:PORT"#
        )
    );
    let flag = Sources::new().flag(&settings::ESPLORA_URL, "127.0.0.1:3002").error();
    assert!(flag.starts_with(r#"--esplora is "127.0.0.1:3002": it must be the URL"#), "{flag}");
    let alias = Sources::new().flag(&settings::ALIAS, &"x".repeat(33)).error();
    assert!(alias.contains("1 to 32 bytes"), "{alias}");
    let log = Sources::new().variable("BOLTGRAM_LOG", "boltgram=loud").error();
    assert!(log.contains("BOLTGRAM_LOG") && log.contains("info,boltgram=debug"), "{log}");
}

#[test]
fn an_api_address_off_this_machine_is_refused() {
    for address in ["0.0.0.0:8881", "192.0.2.1:8881", "[::]:8881"] {
        let grpc = Sources::new().flag(&settings::GRPC, address).error();
        assert!(grpc.contains("loopback") && grpc.contains("--grpc"), "{grpc}");
        assert!(Sources::new().file(&format!("http = '{address}'")).error().contains("http in ~/.boltgram"));
    }
    let config = Sources::new().flag(&settings::GRPC, "[::1]:0").load().unwrap();
    assert!(config.grpc.is_ipv6());
}

#[test]
fn insecure_listen_opens_the_api_on_regtest_alone() {
    let open = Sources::new().file("insecure_listen = true\ngrpc = '0.0.0.0:8881'").load().unwrap();
    assert!(open.insecure_listen && open.grpc.ip().is_unspecified() && open.http.ip().is_loopback());
    for network in ["signet", "testnet", "mainnet"] {
        let sources = Sources::new().flag(&settings::NETWORK, network).flag(&settings::ACCEPT_MAINNET, "true");
        let error = sources.flag(&settings::INSECURE_LISTEN, "true").error();
        assert!(error.contains("for regtest alone"), "{error}");
    }
}

#[test]
fn both_apis_at_one_address_are_refused() {
    assert!(Sources::new().file("http = '127.0.0.1:8881'").error().contains("another port"));
}

#[test]
fn each_network_has_a_preset_that_makes_a_node_on_it_complete() {
    for (network, preset) in presets::ALL {
        let name = network.to_string();
        let sources = Sources::new().flag(&settings::NETWORK, &name).flag(&settings::ACCEPT_MAINNET, "true");
        let config = sources.load().unwrap();
        assert_eq!(config.network, *network);
        let (url, origin) = sources.shown(&settings::ESPLORA_URL);
        assert_eq!((url, origin), (config.esplora_url.clone(), format!("preset {}", preset.file)));
        let is_large = matches!(network, Network::Bitcoin | Network::Testnet);
        assert_eq!(matches!(config.gossip, Gossip::RapidSync(_)), is_large, "{network}");
        let is_private = *network == Network::Regtest;
        assert_eq!(config.esplora_url.starts_with("http://127.0.0.1"), is_private, "{network}");
        assert_eq!(config.listen == ["127.0.0.1:9735"], is_private, "{network}");
        for key in ["network", "data_dir", "accept_mainnet"] {
            assert!(!preset.text.lines().any(|line| line.starts_with(key)), "{key} in {}", preset.file);
        }
    }
}

#[test]
fn a_preset_is_outranked_by_everything_but_the_defaults() {
    let signet = || Sources::new().flag(&settings::NETWORK, "signet");
    let config = signet().variable("BOLTGRAM_ESPLORA_URL", "https://esplora.example/api/").load().unwrap();
    assert_eq!(config.esplora_url, "https://esplora.example/api");
    assert_eq!(config.listen, ["0.0.0.0:9735"]);
    let config = signet().file("gossip = 'rgs'").load().unwrap();
    assert_eq!(config.gossip, Gossip::RapidSync("https://rapidsync.lightningdevkit.org/signet/snapshot".into()));
}

#[test]
fn a_store_for_comparison_is_for_regtest_alone() {
    for (name, kind) in [("own", StoreKind::Own), ("stock", StoreKind::Stock), ("memory", StoreKind::Memory)] {
        assert_eq!(Sources::new().flag(&settings::STORE, name).load().unwrap().store, kind);
        let on_signet = Sources::new().flag(&settings::NETWORK, "signet").flag(&settings::STORE, name);
        if kind != StoreKind::Own {
            assert!(on_signet.error().ends_with("it must be own; on regtest also stock or memory"));
        }
    }
}

#[test]
fn a_number_may_be_a_number_or_a_text_and_nothing_else() {
    let from_file = |value: &str| Sources::new().file(&format!("disk_low_water_mib = {value}"));
    for value in ["64", "'64'"] {
        assert_eq!(from_file(value).load().unwrap().disk_low_water_mib, 64);
    }
    assert_eq!(Sources::new().flag(&settings::DISK_LOW_WATER_MIB, "0").load().unwrap().disk_low_water_mib, 0);
    for value in ["-1", "1.5", "true", "'64 MiB'", "1000000001"] {
        let error = from_file(value).error();
        assert!(error.starts_with("disk_low_water_mib in ~/") && error.contains("a whole number"), "{error}");
    }
}

#[test]
fn rapid_gossip_sync_needs_a_server() {
    let error = Sources::new().file("gossip = 'rgs'").error();
    assert!(error.starts_with("rgs_url is not set: give --rgs URL"), "{error}");
    assert!(Sources::new().flag(&settings::GOSSIP, "dns").error().ends_with("it must be p2p or rgs"));
    assert!(Sources::new().file("rgs_url = 'x'").error().contains("rgs_url in ~/.boltgram"), "also unused");
}

#[test]
fn bitcoin_itself_needs_an_explicit_yes() {
    for name in ["bitcoin", "mainnet"] {
        let error = Sources::new().flag(&settings::NETWORK, name).error();
        assert!(error.contains("the money is real") && error.contains("--accept-mainnet"), "{error}");
        for yes in ["accept_mainnet = true", "accept_mainnet = 'true'"] {
            let config = Sources::new().flag(&settings::NETWORK, name).file(yes).load().unwrap();
            assert_eq!(config.network, Network::Bitcoin);
        }
    }
    let no = Sources::new().variable("BOLTGRAM_NETWORK", "mainnet").file("accept_mainnet = false");
    assert!(no.error().contains("--accept-mainnet"));
    assert!(Sources::new().file("accept_mainnet = 1").error().contains("true or false"));
    assert!(Sources::new().variable("BOLTGRAM_ACCEPT_MAINNET", "yes").error().contains("true or false"));
}

#[test]
fn a_provider_of_channels_and_trusted_peers_are_read() {
    const KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let provider = format!("{KEY}@lsp.example:9735");
    let sources = Sources::new()
        .file("lsps2_token = 'hunter2'")
        .variable("BOLTGRAM_LSPS2_NODE", &provider)
        .flag(&settings::TRUSTED_PEERS_0CONF, KEY);
    let config = sources.load().unwrap();
    let lsp = config.lsp.as_ref().unwrap();
    assert_eq!((lsp.address.as_str(), lsp.token.as_deref()), ("lsp.example:9735", Some("hunter2")));
    assert_eq!(lsp.node_id.to_string(), KEY);
    assert_eq!(config.trusted_peers_0conf, [lsp.node_id]);
    assert!(Sources::new().file("lsps2_token = 'hunter2'").error().contains("--lsps2-node"));
    assert!(Sources::new().flag(&settings::LSPS2_NODE, KEY).error().contains("PUBKEY@HOST:PORT"));
    assert!(Sources::new().flag(&settings::TRUSTED_PEERS_0CONF, "02ab").error().contains("66 hex digits"));
}

#[test]
fn every_value_is_shown_with_where_it_comes_from() {
    let sources = Sources::new()
        .file("alias = 'a'\nlisten = ['127.0.0.1:1']")
        .variable("BOLTGRAM_LISTEN", "127.0.0.1:2,127.0.0.1:3")
        .flag(&settings::LOG, "warn");
    let (_, all) = sources.load_shown().unwrap();
    assert!(all.iter().map(|shown| shown.setting).eq(settings::ALL.iter().copied()));
    for (setting, value, origin) in [
        (&settings::NETWORK, "regtest", "default"),
        (&settings::LSPS2_NODE, "", "default"),
        (&settings::ESPLORA_URL, "http://127.0.0.1:3002", "preset data/networks/regtest.toml"),
        (&settings::ALIAS, "a", "file ~/.boltgram/boltgram.toml"),
        (&settings::LISTEN, "127.0.0.1:2", "environment BOLTGRAM_LISTEN"),
        (&settings::LOG, "warn", "flag --log"),
    ] {
        assert_eq!(sources.shown(setting), (value.to_owned(), origin.to_owned()));
    }
}

#[test]
fn neither_secrets_nor_passwords_are_shown() {
    let sources = Sources::new()
        .file("lsps2_token = 'hunter2'\nesplora_url = 'https://me:hunter2@host/api'\nrgs_url = 'http://host/p@th'")
        .flag(
            &settings::LSPS2_NODE,
            "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798@lsp.example:9735",
        );
    assert_eq!(sources.shown(&settings::LSPS2_TOKEN).0, "********");
    assert_eq!(sources.shown(&settings::ESPLORA_URL).0, "https://********@host/api");
    assert_eq!(sources.shown(&settings::RGS_URL).0, "http://host/p@th");
    assert!(!format!("{:?}", sources.load().unwrap().lsp).contains("hunter2"));
    for wrong in [
        format!("lsps2_token = '{}'", "hunter2".repeat(1_000)),
        "lsps2_token = ['hunter2']".to_owned(),
        "esplora_url = 'ftp://me:hunter2@host'".to_owned(),
        "esplora_url = 'me:hunter2@host'".to_owned(),
        "esplora_url = ['https://me:hunter2@host']".to_owned(),
        "lsps2_token = 'hunter2".to_owned(),
    ] {
        let error = Sources::new().file(&wrong).error();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn what_the_inbox_takes_is_everything_unless_it_is_set() {
    assert_eq!(Sources::new().load().unwrap().inbox, InboxPolicy::default());
    let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let sources = Sources::new()
        .file(
            "message_sat_min = 5\nsender_messages_per_day_max = '7'\naccept_unsigned = false\nmessage_bytes_max = 2048",
        )
        .variable("BOLTGRAM_SENDER_BYTES_PER_DAY_MAX", "9")
        .flag(&settings::BLOCKED_SENDERS, key);
    let wanted = InboxPolicy {
        message_bytes_max: 2_048,
        amount_msat_min: 5_000,
        blocked: [key.parse().unwrap()].into(),
        messages_per_day_max: Some(7),
        bytes_per_day_max: Some(9),
        accepts_unsigned: false,
    };
    assert_eq!(sources.load().unwrap().inbox, wanted);
    for (wrong, expected) in [
        ("message_bytes_max = 1048577", "from 1024 to 1048576"),
        ("message_bytes_max = 1023", "from 1024 to 1048576"),
        ("message_sat_min = 100000001", "from 0 to 100000000"),
        ("message_sat_min = -1", "from 0 to 100000000"),
        ("sender_messages_per_day_max = 1.5", "a whole number"),
        ("sender_bytes_per_day_max = 'many'", "a whole number of bytes"),
        ("blocked_senders = ['x']", "66 hex digits"),
        ("accept_unsigned = 'perhaps'", "true or false"),
    ] {
        let error = Sources::new().file(wrong).error();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let broken = Sources::new().file("alias = ");
    assert!(broken.error().contains("boltgram.toml is not valid TOML, line 1"), "{}", broken.error());
    let broken = Sources::new().file("alias = 'x'\nlog = ");
    assert!(broken.error().contains("line 2"), "{}", broken.error());
    let missing = Sources::new().config(Path::new("/nowhere/boltgram.toml"));
    assert!(missing.error().contains("/nowhere/boltgram.toml can't be read"));
    let circular = Sources::new().file("data_dir = '/elsewhere'");
    assert!(circular.error().contains("names another data_dir"));
}

#[test]
fn without_a_home_directory_a_data_directory_must_be_named() {
    let error = Config::from_sources(&NodeArgs::default(), [], None).unwrap_err();
    assert!(error.to_string().contains("--data-dir"));
}
