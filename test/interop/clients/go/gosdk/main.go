// The official Go SDK. Arguments: `auto`, or the protocol version to ask for.
package main

import (
	"context"
	"errors"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"interop/loop"
)

type client struct{ session *mcp.ClientSession }

var ctx = context.Background()

func (c *client) Connect(url, transport string) (string, error) {
	m := mcp.NewClient(&mcp.Implementation{Name: "go-sdk", Version: "1"}, &mcp.ClientOptions{
		LoggingMessageHandler: func(context.Context, *mcp.LoggingMessageRequest) {
			loop.Emit(map[string]any{"event": "log"})
		},
		ProgressNotificationHandler: func(context.Context, *mcp.ProgressNotificationClientRequest) {
			loop.Emit(map[string]any{"event": "progress"})
		},
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"answer": "blue"}}, nil
		},
	})
	var t mcp.Transport = &mcp.StreamableClientTransport{Endpoint: url}
	if transport == "sse" {
		t = &mcp.SSEClientTransport{Endpoint: url}
	}
	s, err := m.Connect(ctx, t, options(os.Args[1]))
	if err != nil {
		return "", err
	}
	c.session = s
	return s.InitializeResult().ProtocolVersion, nil
}

func (c *client) List() (int, error) {
	r, err := c.session.ListTools(ctx, nil)
	if err != nil {
		return 0, err
	}
	return len(r.Tools), nil
}

func (c *client) Call(ctx context.Context, name string, args map[string]any, progress bool) (string, error) {
	p := &mcp.CallToolParams{Name: name, Arguments: args}
	if progress {
		// Without it, versions before 1.5 drop the token.
		p.Meta = mcp.Meta{}
		p.SetProgressToken("p1")
	}
	r, err := c.session.CallTool(ctx, p)
	if err != nil {
		return "", err
	}
	s := ""
	for _, b := range r.Content {
		if t, ok := b.(*mcp.TextContent); ok {
			s += t.Text
		}
	}
	if r.IsError {
		return "", errors.New("the tool failed: " + s)
	}
	return s, nil
}

func (c *client) Close() error { return c.session.Close() }

func main() { loop.Main(&client{}) }
