//! The sources of settings, one over the other. Every value keeps where it came from.
//!
//! Values of the environment and of flags are texts, and stay so until a setting reads them: an alias of `123` is not
//! a number.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use super::{
    ConfigError,
    presets::Preset,
    settings::{self, Fallback, Kind, PREFIX, Setting},
};
use crate::{
    cli::NodeArgs,
    limits::{CONFIG_FILE_BYTES_MAX, SUGGESTION_SIMILARITY_MIN},
};

/// Where a value comes from; a later one outranks an earlier one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// The table of settings.
    Default,
    /// The network's preset, by its file.
    Preset(&'static str),
    /// The configuration file.
    File(PathBuf),
    /// The environment.
    Environment,
    /// The command line.
    Flags,
}

impl Source {
    /// Where exactly the setting comes from, in a few words.
    pub fn origin(&self, setting: &Setting) -> String {
        match self {
            Self::Default => "default".to_owned(),
            Self::Preset(file) => format!("preset {file}"),
            Self::File(file) => format!("file {}", file.display()),
            Self::Environment => format!("environment {}", setting.variable()),
            Self::Flags => format!("flag --{}", setting.flag),
        }
    }

    /// The setting and where it stands, as the subject of a sentence.
    fn place(&self, setting: &Setting) -> String {
        let key = setting.key;
        match self {
            Self::Default => key.to_owned(),
            Self::Preset(file) => format!("{key} in {file}"),
            Self::File(file) => format!("{key} in {}", file.display()),
            Self::Environment => format!("the environment variable {}", setting.variable()),
            Self::Flags => format!("--{}", setting.flag),
        }
    }
}

/// The sources.
pub struct Layers(BTreeMap<Source, Table>);

/// Without the values: a secret may be among them.
impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Layers {
    /// The defaults, the environment and the flags. An unknown variable of ours is an error.
    pub fn new(args: &NodeArgs, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let environment = environment(variables)?;
        Ok(Self(BTreeMap::from([
            (Source::Default, defaults()),
            (Source::Environment, environment),
            (Source::Flags, flags(args)),
        ])))
    }

    /// The same with a file. An unknown key in it is an error.
    pub fn with_file(self, file: &Path) -> Result<Self, ConfigError> {
        let text = read(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        self.with(Source::File(file.to_owned()), file, &text)
    }

    /// The same with a network's preset.
    pub fn with_preset(self, preset: Preset) -> Result<Self, ConfigError> {
        self.with(Source::Preset(preset.file), Path::new(preset.file), preset.text)
    }

    fn with(mut self, source: Source, file: &Path, text: &str) -> Result<Self, ConfigError> {
        let values = toml(file, text)?;
        if let Some(key) = values.keys().find(|key| find(key).is_none()) {
            let near = nearest(key).map(|setting| setting.key.to_owned());
            let all = settings::ALL.iter().map(|setting| setting.key).collect::<Vec<_>>().join(", ");
            return Err(unknown(format!("{key:?} in {}", file.display()), near, all));
        }
        self.0.insert(source, values);
        Ok(self)
    }

    /// A setting's value as it stands in the highest source that has it, and that source.
    fn find(&self, setting: &Setting) -> Option<(&Source, &Value)> {
        self.0.iter().rev().find_map(|(source, values)| Some((source, values.get(setting.key)?)))
    }

    /// Where a setting's value comes from; `None` when no source has it.
    pub fn source(&self, setting: &Setting) -> Option<&Source> {
        self.find(setting).map(|(source, _)| source)
    }

    /// A setting read by `parse`, or `None` when no source has it.
    pub fn parse<T>(&self, setting: &Setting, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, ConfigError> {
        let text = match self.find(setting).map(|(_, value)| value) {
            None => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Integer(value)) if setting.kind == Kind::Number => value.to_string(),
            Some(Value::Boolean(value)) if setting.kind == Kind::Switch => value.to_string(),
            Some(other) => return Err(self.wrong(setting, &shown(other))),
        };
        parse(&text).map(Some).ok_or_else(|| self.wrong(setting, &text))
    }

    /// A setting that must be there.
    pub fn required<T>(&self, setting: &Setting, parse: impl Fn(&str) -> Option<T>) -> Result<T, ConfigError> {
        self.parse(setting, parse)?.ok_or(ConfigError::Missing {
            key: setting.key,
            flag: setting.flag,
            value_name: setting.value_name,
        })
    }

    /// A setting that is a list, or a text with commas; `None` when no source has it.
    pub fn list(&self, setting: &Setting) -> Result<Option<Vec<String>>, ConfigError> {
        let text = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            other => Err(self.wrong(setting, &shown(other))),
        };
        match self.find(setting).map(|(_, value)| value) {
            None => Ok(None),
            Some(Value::Array(values)) => values.iter().map(text).collect::<Result<_, _>>().map(Some),
            Some(value) => Ok(Some(text(value)?.split(',').map(|part| part.trim().to_owned()).collect())),
        }
    }

    /// The error for a value that can't be used, with where it came from.
    pub fn wrong(&self, setting: &Setting, value: &str) -> ConfigError {
        let place = self.source(setting).unwrap_or(&Source::Default).place(setting);
        ConfigError::Wrong { place, value: setting.shown(value), expected: setting.expected }
    }
}

fn read(file: &Path) -> io::Result<String> {
    if fs::metadata(file)?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
    }
    let mut text = String::new();
    let read = File::open(file)?.take(CONFIG_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > CONFIG_FILE_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {CONFIG_FILE_BYTES_MAX} bytes"),
        ));
    }
    Ok(text)
}

/// Reads TOML. An error says the line's number and not the line: a secret may stand there.
fn toml(file: &Path, text: &str) -> Result<Table, ConfigError> {
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.lines().count().max(1);
        ConfigError::Toml { file: file.to_owned(), line, message: error.message().to_owned() }
    })
}

fn defaults() -> Table {
    let default = |setting: &&Setting| match setting.fallback {
        Fallback::Value(value) => Some((setting.key.to_owned(), value.into())),
        Fallback::Preset | Fallback::None => None,
    };
    settings::ALL.iter().filter_map(default).collect()
}

/// The environment's settings. An empty variable is an absent one, as compose files have them.
fn environment(variables: impl IntoIterator<Item = (String, String)>) -> Result<Table, ConfigError> {
    let mut values = Table::new();
    for (name, value) in variables {
        let Some(key) = name.strip_prefix(PREFIX) else { continue };
        let key = key.to_lowercase();
        let Some(setting) = find(&key).filter(|setting| setting.variable() == name) else {
            let all = settings::ALL.iter().map(|setting| setting.variable()).collect::<Vec<_>>().join(", ");
            return Err(unknown(format!("the environment variable {name}"), nearest(&key).map(Setting::variable), all));
        };
        if !value.is_empty() {
            values.insert(setting.key.to_owned(), value.into());
        }
    }
    Ok(values)
}

fn flags(args: &NodeArgs) -> Table {
    let value = |(setting, values): &(&Setting, Vec<String>)| {
        let value = match (setting.kind, values.last()) {
            (Kind::List, _) | (_, None) => values.clone().into(),
            (_, Some(value)) => value.as_str().into(),
        };
        (setting.key.to_owned(), value)
    };
    args.values.iter().map(value).collect()
}

fn find(key: &str) -> Option<&'static Setting> {
    settings::ALL.iter().copied().find(|setting| setting.key == key)
}

fn nearest(key: &str) -> Option<&'static Setting> {
    let similar = |known: &&'static Setting| (strsim::jaro_winkler(key, known.key), *known);
    let best = settings::ALL.iter().map(similar).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(similarity, _)| *similarity >= SUGGESTION_SIMILARITY_MIN).map(|(_, known)| known)
}

fn unknown(place: String, nearest: Option<String>, all: String) -> ConfigError {
    let hint = nearest.map_or_else(|| format!("there are {all}"), |nearest| format!("did you mean {nearest}?"));
    ConfigError::UnknownKey { place, hint }
}

/// A value of the wrong kind, as the file has it.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Table(_) => "a table".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
