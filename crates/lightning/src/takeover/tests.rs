//! The takeover, with the process killed behind each of its steps, and what is refused.

use super::*;
use crate::{limits::SMALL_FILE_BYTES_MAX, node::Node};
use ldk_node::{Builder, bip39::Mnemonic, bitcoin::Network};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tempfile::TempDir;

const NETWORK: Network = Network::Regtest;

/// A folder as a plain ldk-node leaves it, and the node's id.
fn plain(folder: &Path) -> NodeId {
    let mut builder = Builder::new();
    builder.set_network(NETWORK);
    builder.set_storage_dir_path(folder.display().to_string());
    builder.set_custom_logger(Arc::new(crate::logger::Bridge));
    let node = builder.build().unwrap();
    node.node_id().into()
}

struct World {
    folder: TempDir,
    node_id: NodeId,
    takeover: Takeover,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data_dir, old) = (folder.path().join("data"), folder.path().join("plain"));
        let node_id = plain(&old);
        let takeover = Takeover { data_dir, network: Some(NETWORK), from: Some(old) };
        Self { folder, node_id, takeover }
    }

    /// A data folder of this program with a stock store, and a takeover within it.
    fn own() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        let node_id = start(&data_dir, StoreKind::Stock).unwrap();
        Self { folder, node_id, takeover: Takeover { data_dir, network: None, from: None } }
    }

    fn old(&self) -> Vec<u8> {
        fs::read(self.takeover.old_file()).unwrap()
    }

    fn problem(&self) -> String {
        let error = self.takeover.run().unwrap_err();
        assert!(matches!(error.code(), "TAKEOVER" | "OTHER_NETWORK" | "CONFIG" | "DATA_DIR_IN_USE"), "{error}");
        error.to_string()
    }

    /// What stands in the data folder's `store`.
    fn store(&self) -> Option<String> {
        let text = crate::data_dir::read_small(&self.takeover.data_dir.join("store")).ok()?;
        assert!((text.len() as u64) < SMALL_FILE_BYTES_MAX);
        Some(text.trim().to_owned())
    }

    /// It is taken over: the same node, all of its keys, and the old file under its new name.
    fn is_done(&self, taken: &TakenOver, old: &[u8]) {
        assert_eq!((taken.node_id, self.store().as_deref()), (self.node_id, Some("own")));
        assert!(!self.takeover.old_file().exists() && taken.old_file.extension().unwrap() == "taken-over");
        assert!(fs::read(&taken.old_file).unwrap() == old, "it is only renamed");
        assert_eq!(start(&self.takeover.data_dir, StoreKind::Own).unwrap(), self.node_id);
        assert!(self.problem().contains("already"), "a second time it is refused");
        let left = fs::read_dir(self.takeover.data_dir.join("ldk")).unwrap().map(|file| file.unwrap().file_name());
        assert!(left.into_iter().all(|name| !name.to_string_lossy().contains(".new")), "nothing is left over");
    }
}

/// Builds a node in a data folder, which opens its store, and gives its id.
fn start(data_dir: &Path, store: StoreKind) -> Result<NodeId, LightningError> {
    let config = NodeConfig { store, ..NodeConfig::new(data_dir, NETWORK, "http://127.0.0.1:1") };
    Node::build(config).map(|node| node.info().node_id)
}

#[test]
fn a_plain_ldk_nodes_folder_and_one_of_this_program_are_taken_over_once() {
    for world in [World::new(), World::own()] {
        let old = world.old();
        let taken = world.takeover.run().unwrap();
        assert!(taken.keys > 3 && taken.bytes > 100, "{taken:?}");
        world.is_done(&taken, &old);
        let error = start(&world.takeover.data_dir, StoreKind::Stock).unwrap_err();
        assert_eq!(error.code(), "OTHER_STORE");
    }
}

#[test]
fn after_a_crash_behind_any_step_no_node_starts_and_the_same_command_goes_on() {
    for make in [World::new, World::own] {
        for step in [Step::Marked, Step::Copied, Step::SeedKept, Step::OldRenamed, Step::CopyInPlace] {
            let world = make();
            let old = world.old();
            let crash = |at: Step| {
                if at == step {
                    panic!("the process is killed after {step:?}")
                }
            };
            let crashed = catch_unwind(AssertUnwindSafe(|| world.takeover.run_with(&mut { crash })));
            assert!(crashed.is_err(), "{step:?}");
            for kind in [StoreKind::Own, StoreKind::Stock] {
                let error = start(&world.takeover.data_dir, kind).unwrap_err();
                assert_eq!(error.code(), "TAKEOVER_UNFINISHED", "{kind} after {step:?}");
            }
            if step == Step::Marked {
                // It was killed while it wrote the copy.
                fs::create_dir_all(world.takeover.data_dir.join("ldk")).unwrap();
                fs::write(world.takeover.data_dir.join("ldk/node.sqlite.new"), "half").unwrap();
                fs::write(world.takeover.data_dir.join("ldk/node.sqlite.new-wal"), "of it").unwrap();
            }
            let taken = world.takeover.run().unwrap();
            world.is_done(&taken, &old);
        }
    }
}

#[test]
fn an_error_before_the_old_file_is_renamed_leaves_all_as_it_was() {
    for (world, kind) in [(World::new(), None), (World::own(), Some("stock"))] {
        let old = world.old();
        // The copy can't be written: a folder is in its place.
        let in_the_way = world.takeover.data_dir.join("ldk/node.sqlite.new/x");
        fs::create_dir_all(&in_the_way).unwrap();
        assert!(world.takeover.run().is_err());
        assert_eq!(world.store().as_deref(), kind);
        assert!(world.old() == old);
        fs::remove_dir_all(in_the_way.parent().unwrap()).unwrap();
        if kind.is_some() {
            assert_eq!(start(&world.takeover.data_dir, StoreKind::Stock).unwrap(), world.node_id);
        }
        let old = world.old();
        let taken = world.takeover.run().unwrap();
        world.is_done(&taken, &old);
    }
}

#[test]
fn what_does_not_belong_together_is_refused_and_left_as_it_is() {
    let world = World::new();
    let (old, plain) = (world.old(), world.takeover.from.clone().unwrap());
    let with = |takeover: Takeover| World { folder: tempfile::tempdir().unwrap(), takeover, node_id: world.node_id };
    let other = with(Takeover { network: Some(Network::Signet), ..world.takeover.clone() });
    assert!(other.problem().contains("another network than signet"));
    assert!(with(Takeover { network: None, ..world.takeover.clone() }).problem().contains("the network"));
    let nothing = with(Takeover { from: Some(world.folder.path().to_owned()), ..world.takeover.clone() });
    assert!(nothing.problem().contains("no such file"));

    // The seed of another node, and none.
    let words = Mnemonic::from_entropy(&[7; 32]).unwrap();
    fs::write(world.takeover.data_dir.join("seed"), words.to_string()).unwrap();
    assert!(world.problem().contains("not of this seed"));
    fs::remove_file(world.takeover.data_dir.join("seed")).unwrap();
    let keys_seed = plain.join("keys_seed");
    let bytes = fs::read(&keys_seed).unwrap();
    fs::remove_file(&keys_seed).unwrap();
    assert!(world.problem().contains("24 words"));
    fs::write(&keys_seed, bytes).unwrap();

    // Another process has it open.
    assert!(!is_open_elsewhere(&world.takeover.old_file()));
    let mut reader = std::process::Command::new("tail")
        .arg("-f")
        .arg(world.takeover.old_file())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !is_open_elsewhere(&world.takeover.old_file()) {
        assert!(std::time::Instant::now() < deadline, "tail does not open the file, or it isn't seen");
        std::thread::yield_now();
    }
    assert!(world.problem().contains("another process has it open"));
    reader.kill().unwrap();
    reader.wait().unwrap();

    // A node of this program has the data folder, and has state in it.
    let lock = DataDir::lock(&world.takeover.data_dir).unwrap();
    assert!(world.problem().contains("in use by another process"));
    drop(lock);
    assert!(world.store().is_none() && world.old() == old);
    let own = with(Takeover { data_dir: world.folder.path().join("own"), ..world.takeover.clone() });
    start(&own.takeover.data_dir, StoreKind::Own).unwrap();
    assert!(own.problem().contains("never overwritten"));
    let stock = with(Takeover { data_dir: world.folder.path().join("stock"), ..world.takeover.clone() });
    start(&stock.takeover.data_dir, StoreKind::Stock).unwrap();
    assert!(stock.problem().contains("another node's state"));
    let from = Some(stock.takeover.data_dir.join("ldk"));
    let elsewhere = with(Takeover { from, data_dir: world.folder.path().join("new"), ..world.takeover.clone() });
    assert!(elsewhere.problem().contains("with --data-dir"));
    assert!(world.takeover.old_file().exists());
}
