//! SQL texts: one for both databases, or a pair where they truly differ; and the macro that runs one.

/// A statement in the words of both databases. Holds only fixed text, so nothing can be pasted in.
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// What SQLite gets.
    pub sqlite: &'static str,
    /// What PostgreSQL gets.
    pub postgres: &'static str,
}

/// Names the statements of a file and lists them in `STATEMENTS`, from which a test prepares each
/// on both databases.
///
/// Three forms: one text for both; one text for both in which `ids(1)` stands for the members of
/// the JSON array that is bound as `$1`; and `sqlite | postgres` where the two truly differ.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident =
        $head:literal $(ids($place:literal) $($tail:literal)?)* $(| $postgres:literal)?;)*) => {
        $(
            $(#[$doc])*
            const $name: $crate::store::sql::Sql = statements!(
                @pair $head $(ids($place) $($tail)?)* $(| $postgres)?
            );
        )*

        /// Every statement of this file, by name.
        pub(super) const STATEMENTS: &[(&str, $crate::store::sql::Sql)] =
            &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
    (@pair $head:literal $(ids($place:literal) $($tail:literal)?)*) => {
        $crate::store::sql::Sql {
            sqlite: concat!($head $(, "(SELECT value FROM jsonb_each($", $place, "))" $(, $tail)?)*),
            postgres: concat!(
                $head $(, "(SELECT jsonb_array_elements_text($", $place, "))" $(, $tail)?)*
            ),
        }
    };
    (@pair $sqlite:literal | $postgres:literal) => {
        $crate::store::sql::Sql { sqlite: $sqlite, postgres: $postgres }
    };
}

/// Runs a body on whichever database the reader or transaction belongs to. The body is written
/// once and compiled for both drivers, so a type that only one of them can carry does not compile.
/// A server that does not answer is not waited for for ever.
macro_rules! on {
    ($on:expr, $statement:expr, |$sql:ident, $conn:ident| $body:expr) => {
        match $on.conn()? {
            $crate::store::db::Conn::Sqlite($conn) => {
                let $sql = $statement.sqlite;
                $body
            }
            $crate::store::db::Conn::Postgres($conn, longest) => {
                let $sql = $statement.postgres;
                let work = async { Ok::<_, $crate::store::Error>($body) };
                $crate::store::session::within(longest, work).await?
            }
        }
    };
}

pub(crate) use {on, statements};
