//! A connection to one server or to a cluster.

use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, SingleNodeRoutingInfo, SlotAddr};
use redis::{Cmd, RedisResult, Value};

use super::script::SLOT;

/// Clones are of the same connection.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection(..)")
    }
}

impl Connection {
    /// Sends commands on keys of the one slot, and has their answers.
    pub(super) async fn send(&mut self, commands: &[Cmd]) -> RedisResult<Vec<Value>> {
        let mut pipe = redis::pipe();
        for command in commands {
            pipe.add_command(command.clone());
        }
        match self {
            Self::One(one) => pipe.query_async(one).await,
            Self::Cluster(cluster) => {
                let route = Route::new(SLOT, SlotAddr::Master);
                let route = SingleNodeRoutingInfo::SpecificNode(route);
                cluster.route_pipeline(pipe, 0, commands.len(), route).await
            }
        }
    }
}
