//! What `demo` plays of a scheme file: the requests of its vectors, with the signatures that stand in
//! them, signed anew with throw-away keys.

use std::fmt::Write as _;

use http::Method;

use super::compiled::Compiled;
use super::vector::Vector;
use crate::scheme::json::quote;
use crate::scheme::{Act, Demo, Text, Way};

impl Compiled {
    /// A route for each setting of params that a vector has, the request of each vector that is
    /// signed, and one that nobody signs.
    pub(super) fn played(&self, name: &str) -> Demo {
        let mut settings = Vec::new();
        let (mut tables, mut acts) = (self.stored(name), Vec::new());
        for vector in self.vectors.iter().filter(|vector| vector.expect.refused.is_none()) {
            let same = settings.iter().position(|params| *params == &vector.params);
            let at = same.unwrap_or(settings.len());
            let route = if at == 0 { name.to_owned() } else { format!("{name}_{at}") };
            if same.is_none() {
                settings.push(&vector.params);
                tables.push_str(&self.route(name, &route, vector));
            }
            acts.push(vector.act(format!("{name}: the request of {}", vector.source), &route));
        }
        if let Some(first) = acts.first() {
            let title = format!("{name}, past the proxy: nobody signs").into();
            acts.push(Act { title, way: Way::Around, accepted: false, ..first.clone() });
        }
        Demo { tables: tables.into(), acts }
    }

    /// Keys and secrets, each named by slot.
    fn stored(&self, name: &str) -> String {
        let mut text = String::new();
        for slot in &self.slots {
            let Some(algorithm) = slot.algorithms.first() else { continue };
            let entry = format!("{name}.{}", slot.name);
            let (algorithm, key) = (algorithm.name(), slot.name.as_str());
            // A key that is made here says itself how it is written.
            let _infallible = writeln!(
                text,
                "\n[keys.{name}_{key}]\nstore = \"files\"\nentry = \"{entry}\"\n\
                 algorithm = \"{algorithm}\"\nencoding = \"text\""
            );
        }
        for secret in &self.secrets {
            let (own, entry) = (&secret.name, format!("{name}.{}", secret.name));
            let _infallible =
                writeln!(text, "\n[secrets.{name}_{own}]\nstore = \"files\"\nentry = \"{entry}\"");
        }
        text
    }

    /// A route with the params of a vector, at a host of its own: several schemes are for one.
    fn route(&self, name: &str, route: &str, vector: &Vector) -> String {
        let all = |names: Vec<&String>| -> String {
            let one = |own: &&String| format!("{own} = \"{name}_{own}\"");
            names.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        let keys = all(self.slots.iter().map(|slot| &slot.name).collect());
        let secrets = all(self.secrets.iter().map(|secret| &secret.name).collect());
        let param = |(name, value): (&String, &String)| {
            let mut param = format!("{name} = ");
            quote(value, &mut param);
            param
        };
        let params = vector.params.iter().map(param).collect::<Vec<_>>().join(", ");
        let host = route.replace('_', "-");
        format!(
            "\n[routes.{route}]\nhost = \"{host}.example\"\nscheme = \"{name}\"\n\
             keys = {{ {keys} }}\nsecrets = {{ {secrets} }}\nparams = {{ {params} }}\n\
             upstream = \"{route}\"\n"
        )
    }
}

impl Vector {
    /// The request, as the program that made it sends it.
    fn act(&self, title: String, route: &str) -> Act {
        let request = &self.request;
        let header = |(name, value): &(String, String)| -> (Text, Text) {
            (name.clone().into(), value.clone().into())
        };
        Act {
            title: title.into(),
            way: Way::Forward,
            route: route.to_owned().into(),
            method: Method::from_bytes(request.method.as_bytes()).unwrap_or_default(),
            path: request.target.clone().into(),
            headers: request.headers.iter().map(header).collect(),
            body: request.body.clone().into(),
            accepted: true,
        }
    }
}
