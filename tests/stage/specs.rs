//! What the clients send, held against the platforms' own machine-readable descriptions where somebody has them.
//!
//! They belong to the platforms and are no part of this project: `CHANCERY_TEST_SPECS` names a folder with
//! `x/openapi-*.json` and `facebook/*.json` (docs/testing.md). Every stage then checks every call that reached its
//! simulators: address, method, names of parameters, fields asked for, and the bodies against their schema.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;

use chancery::simulator::{Carried, Heard, Platform};
use jsonschema::Validator;
use serde_json::{Value, json};

/// What X describes nowhere, from its pages on signing in: no description has the addresses of OAuth.
const X_ELSEWHERE: [&str; 2] = ["/2/oauth2/token", "/2/oauth2/revoke"];
/// What Graph takes everywhere (paging, choice of fields, who asks), and describes at no edge.
const GRAPH_ANYWHERE: [&str; 12] = [
    "access_token",
    "appsecret_proof",
    "fields",
    "limit",
    "after",
    "before",
    "since",
    "until",
    "summary",
    "locale",
    "format",
    "date_format",
];
/// What Graph's pages have and its descriptions do not, at the edge.
const GRAPH_BESIDES: [(&str, &str); 2] = [("photos", "source"), ("videos", "upload_phase")];
/// Addresses of Graph that are no nodes.
const GRAPH_ELSEWHERE: [&str; 5] =
    ["oauth/access_token", "debug_token", "me/permissions", "dialog/oauth", "me/businesses"];

pub(crate) struct Specs {
    x: Vec<X>,
    graph: Graph,
}

/// One version of X's description.
struct X {
    name: String,
    document: Value,
    bodies: BTreeMap<(String, String), Validator>,
}

/// Graph's nodes by name, with what may be asked of each.
struct Graph {
    nodes: BTreeMap<String, Node>,
}

struct Node {
    fields: BTreeSet<String>,
    edges: Vec<Edge>,
}

struct Edge {
    method: String,
    /// Empty for the node itself.
    name: String,
    gives: String,
    params: BTreeSet<String>,
}

/// The descriptions, when there are any.
pub(crate) fn given() -> Option<&'static Specs> {
    static SPECS: OnceLock<Option<Specs>> = OnceLock::new();
    let read = || Some(Specs::read(Path::new(&std::env::var_os("CHANCERY_TEST_SPECS")?)));
    SPECS.get_or_init(read).as_ref()
}

fn documents(folder: &Path) -> Vec<(String, Value)> {
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap())
        })
        .collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert!(!all.is_empty(), "{} has no descriptions", folder.display());
    all
}

fn texts<'a>(list: &'a Value, key: &str) -> impl Iterator<Item = String> + use<'a> {
    let key = key.to_owned();
    let all = list.as_array().into_iter().flatten();
    all.filter_map(move |it| it[&key].as_str().map(str::to_owned))
}

impl Specs {
    fn read(folder: &Path) -> Self {
        let x = documents(&folder.join("x"));
        let x = x.into_iter().map(|(name, document)| X::new(name, document)).collect();
        let nodes = documents(&folder.join("facebook")).into_iter().map(|(name, it)| {
            let edges = it["apis"].as_array().into_iter().flatten().map(|edge| Edge {
                method: edge["method"].as_str().unwrap_or_default().to_owned(),
                name: edge["endpoint"].as_str().unwrap_or_default().to_owned(),
                gives: edge["return"].as_str().unwrap_or_default().to_owned(),
                params: texts(&edge["params"], "name").collect(),
            });
            let fields = texts(&it["fields"], "name").collect();
            (name, Node { fields, edges: edges.collect() })
        });
        Self { x, graph: Graph { nodes: nodes.collect() } }
    }

    /// What does not fit, each once.
    pub(crate) fn misfits(&self, calls: &[Heard]) -> Vec<String> {
        let mut found = BTreeSet::new();
        for call in calls {
            let wrong: Vec<String> = match call.platform {
                Platform::X => self.x_misfits(call),
                Platform::Facebook => self.graph.misfit(call).into_iter().collect(),
                Platform::Mastodon | Platform::Bluesky => Vec::new(),
            };
            found
                .extend(wrong.into_iter().map(|it| format!("{} {}: {it}", call.method, call.path)));
        }
        found.into_iter().collect()
    }

    /// The newest description speaks of posts where the service still takes the words of tweets: an address and its
    /// parameters fit when one version has them, a body has to fit in each.
    fn x_misfits(&self, call: &Heard) -> Vec<String> {
        if X_ELSEWHERE.contains(&call.path.as_str()) || !call.path.starts_with("/2/") {
            return Vec::new();
        }
        let addresses: Vec<_> = self.x.iter().map(|one| one.address(call)).collect();
        if addresses.iter().all(Result::is_err) {
            return addresses.into_iter().filter_map(Result::err).collect();
        }
        self.x.iter().filter_map(|one| one.body(call)).collect()
    }
}

/// Whether a path is one of a template, such as `/2/users/{id}/tweets`.
fn fits(template: &str, path: &str) -> bool {
    let (wanted, given) = (template.split('/'), path.split('/'));
    wanted.clone().count() == given.clone().count()
        && wanted.zip(given).all(|(wanted, given)| {
            wanted == given || (wanted.starts_with('{') && !given.is_empty())
        })
}

impl X {
    fn new(name: String, document: Value) -> Self {
        let mut bodies = BTreeMap::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                if schema.is_object() {
                    // The schema with what it refers to.
                    let mut whole = schema.clone();
                    whole["components"] = json!({"schemas": document["components"]["schemas"]});
                    let validator = jsonschema::draft4::new(&whole);
                    let validator = validator.unwrap_or_else(|why| panic!("{name} {path}: {why}"));
                    bodies.insert((path.clone(), method.clone()), validator);
                }
            }
        }
        Self { name, document, bodies }
    }

    /// The template of a call's address; what is written out comes before what has a place for anything.
    fn template(&self, call: &Heard) -> Option<&str> {
        let paths = self.document["paths"].as_object().unwrap();
        let all = paths.keys().filter(|it| fits(it, &call.path));
        all.min_by_key(|it| it.matches('{').count()).map(String::as_str)
    }

    fn address(&self, call: &Heard) -> Result<(), String> {
        let template =
            self.template(call).ok_or_else(|| format!("{} knows no such address", self.name))?;
        let operation = &self.document["paths"][template][call.method.to_lowercase()];
        if operation.is_null() {
            return Err(format!("{} knows no such method there", self.name));
        }
        let known = self.parameters(operation);
        match call.query.iter().find(|(name, _)| !known.contains(name)) {
            Some((name, _)) => Err(format!("{} knows no parameter {name:?}", self.name)),
            None => Ok(()),
        }
    }

    fn body(&self, call: &Heard) -> Option<String> {
        let Carried::Json(body) = &call.body else { return None };
        let place = (self.template(call)?.to_owned(), call.method.to_lowercase());
        let Some(validator) = self.bodies.get(&place) else {
            return Some(format!("{} knows no JSON body there", self.name));
        };
        let wrong = validator.iter_errors(body).next()?;
        Some(format!("{}: {wrong} at {:?} of {body}", self.name, wrong.instance_path.as_str()))
    }

    fn parameters(&self, operation: &Value) -> BTreeSet<String> {
        let all = operation["parameters"].as_array().into_iter().flatten();
        all.filter_map(|it| {
            let resolved = match it["$ref"].as_str() {
                Some(place) => self.document.pointer(place.trim_start_matches('#'))?,
                None => it,
            };
            resolved["name"].as_str().map(str::to_owned)
        })
        .collect()
    }
}

/// The names at the top of a choice of fields: `id,from{id},comments.limit(3){id}` has three.
fn chosen(fields: &str) -> BTreeSet<String> {
    let (mut depth, mut names, mut name) = (0_u32, BTreeSet::new(), String::new());
    for letter in fields.chars().chain([',']) {
        match letter {
            '{' | '(' => depth += 1,
            '}' | ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                let word = name.split('.').next().unwrap_or_default().trim().to_owned();
                names.extend((!word.is_empty()).then_some(word));
                name.clear();
            }
            _ if depth == 0 => name.push(letter),
            _ => {}
        }
    }
    names
}

impl Graph {
    fn misfit(&self, call: &Heard) -> Option<String> {
        // Sessions of uploads have a host of their own and no description.
        let rest = call.path.trim_start_matches('/');
        let (version, rest) = rest.split_once('/')?;
        let is_version =
            version.trim_start_matches('v').starts_with(|it: char| it.is_ascii_digit());
        if !is_version || GRAPH_ELSEWHERE.contains(&rest) {
            return None;
        }
        let (_, edge) = rest.split_once('/').unwrap_or((rest, ""));
        // Lists are written out as `attached_media[0]`.
        let plain = |name: &str| name.split('[').next().unwrap_or_default().to_owned();
        let mut used: BTreeSet<String> = call.query.iter().map(|(name, _)| plain(name)).collect();
        match &call.body {
            Carried::Form(fields) => used.extend(fields.iter().map(|(name, _)| plain(name))),
            Carried::Parts(parts) => used.extend(parts.iter().map(|(name, _)| plain(name))),
            Carried::Json(_) => return Some("Graph describes forms, and this is JSON".to_owned()),
            Carried::Other => {}
        }
        let edges: Vec<&Edge> = self
            .nodes
            .values()
            .flat_map(|node| &node.edges)
            .filter(|it| it.method == call.method && it.name == edge)
            .collect();
        if edges.is_empty() {
            return Some("no node has such an edge".to_owned());
        }
        let besides =
            |name: &str| GRAPH_ANYWHERE.contains(&name) || GRAPH_BESIDES.contains(&(edge, name));
        let takes = |it: &&&Edge| used.iter().all(|name| it.params.contains(name) || besides(name));
        let Some(found) = edges.iter().find(takes) else {
            return Some(format!("no node's edge takes all of {used:?}"));
        };
        let asked = call.query.iter().find(|(name, _)| name == "fields");
        let asked = asked.map(|(_, fields)| chosen(fields)).unwrap_or_default();
        let knows = |it: &&&Edge| {
            self.nodes.get(&it.gives).is_none_or(|node| {
                asked.iter().all(|name| {
                    let edge = node.edges.iter().any(|edge| edge.name == *name);
                    edge || node.fields.contains(name)
                })
            })
        };
        let fits = edges.iter().filter(takes).any(|it| knows(&it));
        (!fits).then(|| format!("{:?} has not all of {asked:?}", found.gives))
    }
}
