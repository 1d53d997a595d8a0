// The official Java SDK: see ../loop.ts for the lines that it speaks. It does one operation at a time.
import io.modelcontextprotocol.client.McpClient;
import io.modelcontextprotocol.client.McpSyncClient;
import io.modelcontextprotocol.client.transport.*;
import io.modelcontextprotocol.spec.McpClientTransport;
import io.modelcontextprotocol.spec.McpSchema;
import io.modelcontextprotocol.json.McpJsonDefaults;
import io.modelcontextprotocol.json.McpJsonMapper;
import io.modelcontextprotocol.json.TypeRef;
import java.io.*;
import java.time.Duration;
import java.util.*;

public class Client {
    static McpJsonMapper json = McpJsonDefaults.getMapper();

    static synchronized void emit(Map<String, Object> m) {
        try { System.out.println(json.writeValueAsString(m)); System.out.flush(); } catch (Exception e) { e.printStackTrace(); }
    }

    static Map<String, Object> map(Object... kv) {
        Map<String, Object> m = new HashMap<>();
        for (int i = 0; i < kv.length; i += 2) m.put((String) kv[i], kv[i + 1]);
        return m;
    }

    @SuppressWarnings("unchecked")
    public static void main(String[] args) throws Exception {
        String base = args[0];
        boolean sse = args[1].equals("sse");
        Duration limit = Duration.ofMillis(Long.parseLong(args[2]));
        McpSyncClient client = null;
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null;) {
            Map<String, Object> m = json.readValue(line, new TypeRef<Map<String, Object>>() {});
            Object id = m.get("id");
            try {
                Object value = null;
                switch ((String) m.get("op")) {
                    case "connect" -> {
                        McpClientTransport t = sse ? HttpClientSseClientTransport.builder(base).build()
                            : HttpClientStreamableHttpTransport.builder(base).build();
                        client = McpClient.sync(t).requestTimeout(limit)
                            .capabilities(McpSchema.ClientCapabilities.builder().elicitation().build())
                            .elicitation(r -> { return new McpSchema.ElicitResult(McpSchema.ElicitResult.Action.ACCEPT, Map.of("answer", "blue")); })
                            .loggingConsumer(n -> emit(map("event", "log")))
                            .progressConsumer(n -> emit(map("event", "progress")))
                            .build();
                        value = client.initialize().protocolVersion();
                    }
                    case "list" -> value = client.listTools().tools().size();
                    case "call" -> {
                        var b = McpSchema.CallToolRequest.builder().name((String) m.get("name")).arguments((Map<String, Object>) m.get("args"));
                        if (Boolean.TRUE.equals(m.get("progress"))) b.progressToken("p1");
                        var r = client.callTool(b.build());
                        StringBuilder s = new StringBuilder();
                        for (var c : r.content()) if (c instanceof McpSchema.TextContent t) s.append(t.text());
                        if (Boolean.TRUE.equals(r.isError())) throw new RuntimeException("the tool failed: " + s);
                        value = s.toString();
                    }
                    default -> { if (!client.closeGracefully()) throw new RuntimeException("closeGracefully: false"); }
                }
                if (value instanceof String s) emit(map("id", id, "ok", true, "value", s.substring(0, Math.min(s.length(), 200)), "length", s.length()));
                else emit(map("id", id, "ok", true, "value", value));
            } catch (Throwable e) {
                e.printStackTrace();
                Throwable c = e.getCause();
                emit(map("id", id, "ok", false, "error", e.getClass().getSimpleName() + ": " + e.getMessage() + (c == null ? "" : " <- " + c.getClass().getSimpleName() + ": " + c.getMessage())));
            }
        }
        System.exit(0);
    }
}
