//! The flags of `boltgram node`: one for each setting, made from the table of settings.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use crate::config::settings::{self, Fallback, Kind, Setting};

/// The settings of a node that are given as flags. Each that is absent comes from the environment (`BOLTGRAM_…`), else
/// from the configuration file, else it is what the network's preset says, else it has its default.
#[derive(Clone, Default, Debug)]
pub struct NodeArgs {
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// The settings that were given, each with its values: several only of a list.
    pub values: Vec<(&'static Setting, Vec<String>)>,
}

impl Args for NodeArgs {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("The configuration file [default: boltgram.toml in the data directory, if it is there]");
        command.arg(config).args(settings::ALL.iter().map(|setting| flag(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for NodeArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = matches.get_one("config").cloned();
        let given =
            |setting: &&'static Setting| Some((*setting, matches.get_many::<String>(setting.key)?.cloned().collect()));
        self.values = settings::ALL.iter().filter_map(given).collect();
        Ok(())
    }
}

fn flag(setting: &'static Setting) -> Arg {
    let default = match setting.fallback {
        Fallback::Value(value) => format!(" [default: {value}]"),
        Fallback::Preset => " [default: by network]".to_owned(),
        Fallback::None => String::new(),
    };
    let help = format!("{}{default}", setting.summary);
    let more = if setting.details.is_empty() { help.clone() } else { format!("{help}\n\n{}", setting.details) };
    let arg = Arg::new(setting.key).long(setting.flag).value_name(setting.value_name).help(help).long_help(more);
    match setting.kind {
        Kind::List => arg.action(ArgAction::Append).value_delimiter(','),
        Kind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Kind::Text | Kind::Secret | Kind::Url | Kind::Number => arg,
    }
}
