//! Whose place it is: nobody's files are brought into another's.

use std::path::Path;

use super::{Server, chancery, sha256, stage};
use crate::stage::Kind;

const PREFIX: &str = "CHANCERY_MEDIA__S3__PREFIX";
const MARK: &str = ".chancery";

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Where another's mark lies nothing is brought, by no command; where none lies, the place becomes ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_brought_into_nobody_elses_place() {
    let server = Server::start().await;
    let mut stage = stage(Kind::Sqlite, &server).await.unwrap();
    let (_, bytes) = stage.picture(12).await;
    stage.stop().await;
    let hash = sha256(&bytes);
    let mark = std::fs::read(server.below("media/one").join(MARK)).unwrap();
    let anothers = server.below("media/anothers");
    std::fs::write(anothers.join(MARK), "Somebody's").unwrap();
    let media = stage.setting().directory().join("media");
    std::fs::create_dir_all(media.join(&hash[..2])).unwrap();
    std::fs::write(media.join(&hash[..2]).join(&hash[2..]), &bytes).unwrap();
    let backup = stage.setting().directory().join("a-backup");
    let backup = backup.to_str().unwrap();
    let (output, told) = chancery(&stage, &[], &["backup", backup]);
    assert_eq!(output.status.code(), Some(0), "{told}");

    let new = tempfile::tempdir().unwrap();
    let key = stage.setting().directory().join("vault.key");
    let database = format!("sqlite:{}/chancery.db", new.path().display());
    let restore = |further: (&str, &str)| {
        let options = [
            ("CHANCERY_DATA_DIR", new.path().to_str().unwrap()),
            ("CHANCERY_DATABASE__URL", database.as_str()),
            ("CHANCERY_VAULT__KEY_FILE", key.to_str().unwrap()),
            further,
        ];
        chancery(&stage, &options, &["restore", backup])
    };
    std::fs::create_dir(new.path().join("media")).unwrap();
    std::fs::write(new.path().join("media").join(MARK), "Somebody's").unwrap();
    for (output, told) in [
        chancery(&stage, &[(PREFIX, "media/anothers")], &["media", "copy"]),
        restore((PREFIX, "media/anothers")),
        restore(("CHANCERY_MEDIA__STORE", "disk")),
    ] {
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains("files of another installation"), "{told}");
        assert!(told.contains("media.s3.prefix") && told.contains("data_dir"), "{told}");
    }
    assert_eq!(names(&anothers), [MARK]);
    assert_eq!(names(&new.path().join("media")), [MARK]);
    assert_eq!(names(new.path()), ["media"]);

    for (command, prefix) in [("copy", "media/copied"), ("restore", "media/restored")] {
        let place = server.below(prefix);
        let at = [(PREFIX, prefix)];
        let (_, told) = chancery(&stage, &at, &["check"]);
        assert!(told.contains("make it ours by chancery media copy"), "{told}");
        let (output, told) = match command {
            "copy" => chancery(&stage, &at, &["media", "copy"]),
            _ => restore(at[0]),
        };
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert_eq!(std::fs::read(place.join(MARK)).unwrap(), mark, "{command}");
        assert_eq!(std::fs::read(place.join(&hash[..2]).join(&hash[2..])).unwrap(), bytes);
    }
    stage.resume().await;
    stage.finish().await;
}
