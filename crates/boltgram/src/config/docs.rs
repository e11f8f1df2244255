//! What is written from the table of settings: `docs/configuration.md` and `data/boltgram.toml`. Each is a test that
//! fails when the file is stale, and writes it anew when `UPDATE_DOCS` is 1.

use super::{
    presets,
    settings::{self, Fallback, Kind, Setting},
};
use std::{env, fs, path::Path};
use toml::Table;

/// Compares a file of the repository with what it should hold, or writes it.
fn assert_current(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if env::var("UPDATE_DOCS").is_ok_and(|update| update == "1") {
        fs::write(&file, expected).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expected, "{path} is stale: UPDATE_DOCS=1 cargo test -p boltgram config::docs writes it anew");
}

fn preset(text: &str) -> Table {
    text.parse().unwrap()
}

/// A setting's value as TOML: its default, else what it is on regtest, else an example.
fn example(setting: &Setting) -> String {
    let of_regtest = preset(presets::ALL[0].1.text).get(setting.key).map(ToString::to_string);
    match (setting.fallback, setting.kind) {
        (Fallback::Value(value), Kind::Switch | Kind::Number) => value.to_owned(),
        (Fallback::Value(value), _) => format!("{value:?}"),
        (Fallback::Preset, _) if of_regtest.is_some() => of_regtest.unwrap(),
        (_, Kind::Number) => setting.example.to_owned(),
        (_, Kind::List) => format!("[{:?}]", setting.example),
        _ => format!("{:?}", setting.example),
    }
}

fn sentences(setting: &Setting) -> String {
    let default = match setting.fallback {
        Fallback::Preset => " The default depends on the network.",
        _ => "",
    };
    let details = if setting.details.is_empty() { String::new() } else { format!(" {}", setting.details) };
    format!("{}.{details}{default}", setting.summary)
}

/// Words in lines of at most `columns`, each behind `prefix`.
fn wrapped(text: &str, prefix: &str, columns: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().unwrap();
        if last.is_empty() {
            last.push_str(word);
        } else if prefix.len() + last.len() + 1 + word.len() <= columns {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.iter().map(|line| format!("{prefix}{line}\n")).collect()
}

fn annotated() -> String {
    let intro = "The settings of a boltgram node. Every line that sets one is commented out and shows its default, or an \
        example where there is none; what depends on the network is shown for regtest. The node reads this file as \
        boltgram.toml in its data directory, or from `--config FILE`.";
    let more = "A setting can also be given as an environment variable (BOLTGRAM_ and the name in capitals) or as a flag \
        of `boltgram node`. Flags win over the environment, that over this file, and that over the network's preset. A \
        name that isn't listed here is an error. `boltgram config show` says what holds and why.";
    let mut text = wrapped(intro, "# ", 120) + "#\n" + &wrapped(more, "# ", 120);
    for setting in settings::ALL {
        let explained = wrapped(&sentences(setting), "# ", 120);
        text += &format!("\n{explained}# Flag: --{}.\n#{} = {}\n", setting.flag, setting.key, example(setting));
    }
    text
}

fn reference() -> String {
    let mut text = "<!-- Written from the table of settings: UPDATE_DOCS=1 cargo test -p boltgram config::docs -->\n\n\
        # Configuration\n\n"
        .to_owned();
    let intro = "A node's settings come from its flags, else from `BOLTGRAM_*` environment variables, else from a TOML \
        file, else from the preset of its network, else they have their default. The file is `boltgram.toml` in the data \
        directory, or what `--config FILE` names. An unknown key or variable is an error that names its place and the \
        nearest key. An empty variable is an absent one.";
    text += &wrapped(intro, "", 120);
    text += "\n```sh\nboltgram config show --network signet    # every setting, and where it comes from\n\
        boltgram config path                     # the file that is read, if it is there\n```\n\n";
    text += &wrapped("`config show` takes the flags of `boltgram node`. It never shows tokens and passwords.", "", 120);
    text += "\n| key | flag | variable | value | default |\n|---|---|---|---|---|\n";
    for setting in settings::ALL {
        let default = match setting.fallback {
            Fallback::Value(value) => format!("`{value}`"),
            Fallback::Preset => "by network".to_owned(),
            Fallback::None => "none".to_owned(),
        };
        let (key, flag, variable) = (setting.key, setting.flag, setting.variable());
        let kind = kind(setting.kind);
        text += &format!("| [`{key}`](#{key}) | `--{flag}` | `{variable}` | {kind} | {default} |\n");
    }
    for setting in settings::ALL {
        text += &format!("\n## {}\n\n{}", setting.key, wrapped(&sentences(setting), "", 120));
        text += &format!("\n```toml\n{} = {}\n```\n\n", setting.key, example(setting));
        text += &wrapped(&format!("It must be {}.", setting.expected), "", 120);
    }
    text += "\n## Presets\n\nWhat goes with a network, built into the program:\n";
    for (network, preset) in presets::ALL {
        let values = preset.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let values: String = values.map(|line| format!("{line}\n")).collect();
        let file = preset.file;
        text += &format!("\n### {network}\n\n[{file}](../{file}):\n\n```toml\n{values}```\n");
    }
    text
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Secret => "text, never shown",
        Kind::Url => "URL",
        Kind::List => "list of texts",
        Kind::Switch => "true or false",
        Kind::Number => "number",
    }
}

#[test]
fn the_reference_of_the_settings_is_current() {
    assert_current("docs/configuration.md", &reference());
}

#[test]
fn the_annotated_file_that_ships_with_the_binary_is_current() {
    assert_current("data/boltgram.toml", &annotated());
}

#[test]
fn every_line_of_the_annotated_file_can_be_taken_in_and_changes_nothing_that_has_a_default() {
    let text = annotated();
    assert!(text.lines().all(|line| line.is_empty() || line.starts_with('#')), "nothing is set as it ships");
    assert!(text.lines().all(|line| line.len() <= 120), "{text}");
    let is_setting = |line: &&str| !line.starts_with("# ") && line.contains(" = ");
    let taken_in: Vec<&str> = text.lines().filter(is_setting).map(|line| &line[1..]).collect();
    let keys: Vec<&str> = taken_in.iter().filter_map(|line| line.split(" = ").next()).collect();
    assert!(keys.iter().eq(settings::ALL.iter().map(|setting| &setting.key)), "{keys:?}");

    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("annotated.toml");
    let values = |text: &str| {
        fs::write(&file, text).unwrap();
        let args = crate::cli::NodeArgs { config: Some(file.clone()), ..Default::default() };
        super::Config::from_sources(&args, [], Some(home.path())).unwrap().1
    };
    let (with, without) = (values(&taken_in.join("\n")), values(""));
    for (with, without) in with.iter().zip(&without) {
        assert!(with.values == without.values || without.values.is_empty(), "{with:?} {without:?}");
        assert!(!with.values.is_empty(), "{with:?}");
    }
}
