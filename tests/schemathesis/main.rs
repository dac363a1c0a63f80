//! Fuzzes the real binary with schemathesis, which reads the OpenAPI document and knows nothing of
//! the code: no 5xx, and no answer that the document does not have.
//!
//! Every operation of the document is asked; none is left out.

#[cfg(test)]
mod desk;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod tool;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::desk::{Database, Desk, document};
    use crate::settings::settings;
    use crate::tool::{Run, find};

    fn count_operations(document: &Value) -> usize {
        let paths = document["paths"].as_object().unwrap();
        paths.values().map(|item| item.as_object().unwrap().len()).sum()
    }

    /// Asks everything; the daemon must live through it and stop as it should.
    async fn everything(database: Database) {
        let Some(program) = find() else { return };
        let document = document();
        let desk = Desk::open(database).await;
        let settings = settings(&document, &desk.ids);
        let run = Run { program, document: document.clone(), settings, examples: 12, only: None };
        let (passed, said) = run.against(&desk).await;
        assert!(passed, "{said}");
        let all = count_operations(&document);
        assert!(all > 30, "only {all} operations");
        // A piece of an upload has a type that the tool cannot write; tests/it/uploads.rs has it.
        let asked = all - 1;
        assert!(said.contains(&format!("Selected: {asked}/{all}")), "{said}");
        assert!(said.contains(&format!("Tested: {asked}")), "{said}");
        let complaints = desk.stop().await;
        assert_eq!(complaints, Vec::<String>::new());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn schemathesis_finds_nothing_on_sqlite() {
        everything(Database::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn schemathesis_finds_nothing_on_postgres() {
        if let Some(database) = Database::postgres().await {
            everything(database).await;
        }
    }

    /// The same run against a document that promises what the binary does not give must fail, and
    /// for this reason.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn schemathesis_sees_an_answer_outside_of_the_document() {
        let Some(program) = find() else { return };
        let desk = Desk::open(Database::Sqlite).await;
        let mut wrong_shape = document();
        let health = &mut wrong_shape["components"]["schemas"]["Alive"];
        assert_eq!(health["properties"]["status"]["type"], "string");
        health["properties"]["status"]["type"] = json!("integer");
        let mut wrong_status = document();
        let answers = wrong_status["paths"]["/healthz"]["get"]["responses"].as_object_mut();
        let answer = answers.unwrap().remove("200").unwrap();
        wrong_status["paths"]["/healthz"]["get"]["responses"]["204"] = answer;
        let mut further_header = document();
        let answer = &mut further_header["paths"]["/healthz"]["get"]["responses"]["200"];
        answer["headers"] = json!({"ETag": {"required": true, "schema": {"type": "string"}}});
        for (document, complaint) in [
            (document(), None),
            (further_header, Some("Missing required response headers")),
            (wrong_shape, Some("Response violates schema")),
            (wrong_status, Some("Undocumented status code")),
        ] {
            let program = program.clone();
            let settings = settings(&document, &desk.ids);
            let only = Some("get_liveness");
            let run = Run { program, document, settings, examples: 1, only };
            let (passed, said) = run.against(&desk).await;
            assert_eq!(passed, complaint.is_none(), "{said}");
            assert!(complaint.is_none_or(|it| said.contains(it)), "{said}");
        }
        assert_eq!(desk.stop().await, Vec::<String>::new());
    }
}
