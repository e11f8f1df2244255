//! `boltgram config`: what the settings of a node are, before it runs.

use serde_json::{Map, Value, json};

use super::NodeArgs;
use crate::{
    config::{self, Config, Shown, settings::Kind},
    output::{Output, line, printable_line, table},
};

/// The arguments of `boltgram config`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Shows every setting of a node with these flags, and where it comes from.
    Show(ShowArgs),
    /// Writes the path of the configuration file of a node with these flags, whether it is there or not.
    Path(NodeArgs),
}

#[derive(clap::Args, Debug)]
struct ShowArgs {
    /// Write JSON, also on a terminal (in a pipe it is JSON always)
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: NodeArgs,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Show(args) => {
            let (_, settings) = Config::load_shown(&args.node)?;
            Ok(Output::new(args.json).either(&as_json(&settings), &as_table(&settings))?)
        }
        Command::Path(args) => Ok(line(&config::file_path(&args)?.display().to_string())?),
    }
}

fn as_table(settings: &[Shown]) -> String {
    let row = |shown: &Shown| {
        let value = if shown.values.is_empty() { "-".to_owned() } else { shown.values.join(", ") };
        vec![shown.setting.key.to_owned(), printable_line(&value), printable_line(&shown.origin)]
    };
    table(&["setting", "value", "comes from"], settings.iter().map(row))
}

fn as_json(settings: &[Shown]) -> Value {
    let entry = |shown: &Shown| {
        let value = match (shown.setting.kind, shown.values.first()) {
            (Kind::List, _) => json!(shown.values),
            (Kind::Switch, Some(value)) => json!(value == "true"),
            (Kind::Number, Some(value)) => json!(value.parse::<u64>().ok()),
            (_, value) => json!(value),
        };
        (shown.setting.key.to_owned(), json!({ "value": value, "origin": shown.origin }))
    };
    Value::Object(settings.iter().map(entry).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings;

    #[test]
    fn a_person_sees_every_value_and_where_it_comes_from() {
        let shown = |setting, values: &[&str], origin: &str| Shown {
            setting,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            origin: origin.to_owned(),
        };
        let text = as_table(&[
            shown(&settings::LISTEN, &["a:1", "b:2"], "flag --listen"),
            shown(&settings::ALIAS, &[], "default"),
            shown(&settings::LOG, &["a\u{1b}[2J"], "environment BOLTGRAM_LOG"),
        ]);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["listen", "a:1,", "b:2", "flag", "--listen"]);
        assert_eq!(lines[2], ["alias", "-", "default"]);
        assert!(!text.contains('\u{1b}'));
    }
}
