//! The sources of settings, one over the other: file, environment, flags. Every value keeps where it came from.
//!
//! Values of the environment and of flags are texts, and stay so until a setting reads them: an alias of `123` is not
//! a number.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use figment::{
    Figment, Metadata, Profile, Provider, Source,
    providers::{Format as _, Toml},
    value::{Dict, Map, Value},
};

use super::ConfigError;
use crate::{
    cli::NodeArgs,
    limits::{CONFIG_FILE_BYTES_MAX, SUGGESTION_SIMILARITY_MIN},
};

/// Every setting, by its name in the file; in the environment it is `BOLTGRAM_` and the name in capitals.
pub const KEYS: &[&str] =
    &["data_dir", "network", "esplora_url", "listen", "grpc", "http", "alias", "announce_addresses", "log"];

/// What the variables begin with.
const PREFIX: &str = "BOLTGRAM_";

/// The sources, merged.
pub struct Layers {
    environment: Layer,
    flags: Layer,
    merged: Figment,
}

/// The texts of one source.
#[derive(Clone)]
struct Layer {
    metadata: Metadata,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

impl Layers {
    /// The environment and the flags. An unknown variable of ours is an error.
    pub fn new(args: &NodeArgs, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let (environment, flags) = (environment(variables)?, flags(args));
        let merged = Figment::from(&environment).merge(&flags);
        Ok(Self { environment, flags, merged })
    }

    /// The same with a file below them. An unknown key in it is an error.
    pub fn with_file(self, file: &Path) -> Result<Self, ConfigError> {
        let text = read(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        let provider = TomlText { file, values: toml(file, &text)? };
        if let Some(key) = provider.values.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let near = nearest(key).map(str::to_owned);
            return Err(unknown(format!("{key:?} in {}", file.display()), near, KEYS.join(", ")));
        }
        let merged = Figment::from(provider).merge(&self.environment).merge(&self.flags);
        Ok(Self { merged, ..self })
    }

    /// A setting read by `parse`, or `None` when no source has it.
    pub fn parse<T>(
        &self,
        key: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        match self.merged.find_value(key).ok() {
            None => Ok(None),
            Some(Value::String(_, text)) => {
                parse(&text).map(Some).ok_or_else(|| self.wrong(key, text.clone(), expected))
            }
            Some(other) => Err(self.wrong(key, shown(&other), expected)),
        }
    }

    /// A setting that is a list, or a text with commas; `None` when no source has it.
    pub fn list(&self, key: &'static str, expected: &'static str) -> Result<Option<Vec<String>>, ConfigError> {
        let text = |value: Value| match value {
            Value::String(_, text) => Ok(text),
            other => Err(self.wrong(key, shown(&other), expected)),
        };
        match self.merged.find_value(key).ok() {
            None => Ok(None),
            Some(Value::Array(_, values)) => values.into_iter().map(text).collect::<Result<_, _>>().map(Some),
            Some(value) => Ok(Some(text(value)?.split(',').map(|part| part.trim().to_owned()).collect())),
        }
    }

    /// The error for a value that can't be used, with where it came from.
    pub fn wrong(&self, key: &'static str, value: String, expected: &'static str) -> ConfigError {
        let metadata = self.merged.find_metadata(key);
        let place = metadata.map(|metadata| metadata.interpolate(&Profile::Default, &[key]));
        ConfigError::Wrong { place: place.unwrap_or_else(|| key.to_owned()), value, expected }
    }
}

/// A file that is read already.
struct TomlText<'a> {
    file: &'a Path,
    values: Dict,
}

impl Provider for TomlText<'_> {
    fn metadata(&self) -> Metadata {
        let file = self.file.display().to_string();
        Metadata::from("TOML file", Source::File(self.file.to_owned()))
            .interpolater(move |_: &Profile, path: &[&str]| format!("{} in {file}", path.join(".")))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
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

fn toml(file: &Path, text: &str) -> Result<Dict, ConfigError> {
    let wrong = |message: String| ConfigError::Toml { file: file.to_owned(), message };
    let mut profiles = Toml::string(text).data().map_err(|error| wrong(error.kind.to_string()))?;
    Ok(profiles.remove(&Profile::Default).unwrap_or_default())
}

/// The environment's settings. An empty variable is an absent one, as compose files have them.
fn environment(variables: impl IntoIterator<Item = (String, String)>) -> Result<Layer, ConfigError> {
    let mut values = Dict::new();
    for (name, value) in variables {
        let Some(key) = name.strip_prefix(PREFIX) else { continue };
        let key = key.to_lowercase();
        if !KEYS.contains(&key.as_str()) || name != variable(&key) {
            let all = KEYS.iter().map(|key| variable(key)).collect::<Vec<_>>().join(", ");
            return Err(unknown(format!("the environment variable {name}"), nearest(&key).map(variable), all));
        }
        if !value.is_empty() {
            values.insert(key, value.into());
        }
    }
    let metadata = Metadata::named("environment")
        .interpolater(|_: &Profile, path: &[&str]| format!("the environment variable {}", variable(&path.join("."))));
    Ok(Layer { metadata, values })
}

fn flags(args: &NodeArgs) -> Layer {
    let mut values = Dict::new();
    let data_dir = args.data_dir.as_ref().map(|dir| dir.to_string_lossy().into_owned());
    for (key, value) in [
        ("data_dir", &data_dir),
        ("network", &args.network),
        ("esplora_url", &args.esplora),
        ("grpc", &args.grpc),
        ("http", &args.http),
        ("alias", &args.alias),
        ("log", &args.log),
    ] {
        if let Some(value) = value {
            values.insert(key.to_owned(), value.as_str().into());
        }
    }
    for (key, list) in [("listen", &args.listen), ("announce_addresses", &args.announce_address)] {
        if !list.is_empty() {
            values.insert(key.to_owned(), list.clone().into());
        }
    }
    let metadata = Metadata::named("flags").interpolater(|_: &Profile, path: &[&str]| flag(&path.join(".")));
    Layer { metadata, values }
}

/// The variable of a key.
fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

/// The flag of a key.
fn flag(key: &str) -> String {
    match key {
        "esplora_url" => "--esplora".to_owned(),
        "announce_addresses" => "--announce-address".to_owned(),
        key => format!("--{}", key.replace('_', "-")),
    }
}

fn nearest(key: &str) -> Option<&'static str> {
    let similar = |known: &&'static str| (strsim::jaro_winkler(key, known), *known);
    let best = KEYS.iter().map(similar).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(similarity, _)| *similarity >= SUGGESTION_SIMILARITY_MIN).map(|(_, known)| known)
}

fn unknown(place: String, nearest: Option<String>, all: String) -> ConfigError {
    let hint = nearest.map_or_else(|| format!("there are {all}"), |nearest| format!("did you mean {nearest}?"));
    ConfigError::UnknownKey { place, hint }
}

/// A value that is no text, as the file has it.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_, values) => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Dict(..) => "a table".to_owned(),
        Value::Num(_, number) => match (number.to_i128(), number.to_f64()) {
            (Some(number), _) => number.to_string(),
            (None, Some(number)) => number.to_string(),
            (None, None) => value.to_actual().to_string(),
        },
        other => other.to_actual().to_string(),
    }
}
