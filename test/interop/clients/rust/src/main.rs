//! rmcp, the official Rust SDK. Arguments: `auto`, or `legacy` for the session eras.
//! `../../loop.ts` has the lines that it speaks. It does one operation at a time.
use std::io::{BufRead, Write};
use std::time::Duration;

use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient,
    model::*,
    service::{NotificationContext, RequestContext, RunningService},
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::{Value, json};

fn emit(value: Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{value}");
    let _ = out.flush();
}

#[derive(Clone)]
struct Handler;

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(
            ClientCapabilities::builder().enable_elicitation().build(),
            Implementation::new("rmcp", "1"),
        )
    }
    async fn create_elicitation(
        &self,
        _request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, rmcp::ErrorData> {
        let mut result = ElicitResult::new(ElicitationAction::Accept);
        result.content = Some(json!({"answer": "blue"}));
        Ok(result)
    }
    async fn on_progress(&self, _params: ProgressNotificationParam, _context: NotificationContext<RoleClient>) {
        emit(json!({"event": "progress"}));
    }
    async fn on_logging_message(
        &self,
        _params: LoggingMessageNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        emit(json!({"event": "log"}));
    }
}

type Running = RunningService<RoleClient, Handler>;

async fn connect(url: &str, mode: &str) -> anyhow::Result<Running> {
    let transport =
        StreamableHttpClientTransport::from_config(StreamableHttpClientTransportConfig::with_uri(url.to_owned()));
    let lifecycle = if mode == "legacy" {
        ClientLifecycleMode::Initialize
    } else {
        ClientLifecycleMode::Auto { preferred_versions: vec![ProtocolVersion::V_2026_07_28], legacy_version: None }
    };
    Ok(Handler.serve_with_lifecycle(transport, lifecycle).await?)
}

async fn call(running: &Running, message: &Value, limit: Duration) -> anyhow::Result<String> {
    let name = message["name"].as_str().unwrap_or_default().to_owned();
    let mut params = CallToolRequestParams::new(name);
    params.arguments = message["args"].as_object().cloned();
    // rmcp puts a progress token on every request by itself.
    let result = tokio::time::timeout(limit, running.call_tool(params)).await??;
    let value = serde_json::to_value(&result)?;
    let text: String = value["content"]
        .as_array()
        .map(|items| items.iter().filter_map(|item| item["text"].as_str()).collect())
        .unwrap_or_default();
    if value["isError"] == json!(true) {
        anyhow::bail!("the tool failed: {text}");
    }
    Ok(text)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let (mode, url) = (args[1].clone(), format!("{}/mcp", args[2]));
    let limit = Duration::from_millis(args[4].parse()?);
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel::<String>();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut running: Option<Running> = None;
    while let Some(line) = lines.recv().await {
        let message: Value = serde_json::from_str(&line)?;
        let outcome: anyhow::Result<Value> = match (message["op"].as_str().unwrap_or_default(), &mut running) {
            ("connect", _) => match connect(&url, &mode).await {
                Ok(service) => {
                    let version = service.peer().peer_info().map(|i| serde_json::to_value(&*i).unwrap_or_default());
                    running = Some(service);
                    Ok(version.map_or(Value::Null, |info| info["protocolVersion"].clone()))
                }
                Err(error) => Err(error),
            },
            ("list", Some(service)) => service.list_all_tools().await.map(|t| json!(t.len())).map_err(Into::into),
            ("call", Some(service)) => call(service, &message, limit).await.map(|text| json!(text)),
            (_, slot) => match slot.take() {
                Some(service) => service.cancel().await.map(|_| Value::Null).map_err(Into::into),
                None => Err(anyhow::anyhow!("not connected")),
            },
        };
        emit(match outcome {
            Ok(Value::String(text)) => {
                let start: String = text.chars().take(200).collect();
                json!({"id": message["id"], "ok": true, "value": start, "length": text.len()})
            }
            Ok(value) => json!({"id": message["id"], "ok": true, "value": value}),
            Err(error) => json!({"id": message["id"], "ok": false, "error": format!("{error:#}")}),
        });
    }
    Ok(())
}
