// mark3labs/mcp-go. Arguments: `auto`, or `legacy` for the session eras.
package main

import (
	"context"
	"errors"
	"os"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"interop/loop"
)

type adapter struct{ c *client.Client }

var ctx = context.Background()

func (a *adapter) Elicit(context.Context, mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: "accept", Content: map[string]any{"answer": "blue"}}}, nil
}

func (a *adapter) Connect(url, kind string) (string, error) {
	var t transport.Interface
	var err error
	if kind == "sse" {
		t, err = transport.NewSSE(url)
	} else if os.Args[1] == "legacy" {
		t, err = transport.NewStreamableHTTP(url, transport.WithContinuousListening())
	} else {
		t, err = transport.NewStreamableHTTP(url)
	}
	if err != nil {
		return "", err
	}
	options := []client.ClientOption{client.WithElicitationHandler(a)}
	if os.Args[1] == "legacy" {
		options = append(options, client.WithLegacyProtocolOnly())
	}
	a.c = client.NewClient(t, options...)
	a.c.OnConnectionLost(func(err error) { os.Stderr.WriteString("connection lost: " + err.Error() + "\n") })
	a.c.OnNotification(func(n mcp.JSONRPCNotification) {
		switch n.Method {
		case "notifications/message":
			loop.Emit(map[string]any{"event": "log"})
		case "notifications/progress":
			loop.Emit(map[string]any{"event": "progress"})
		}
	})
	if err := a.c.Start(ctx); err != nil {
		return "", err
	}
	req := mcp.InitializeRequest{}
	req.Params.ClientInfo = mcp.Implementation{Name: "mark3labs", Version: "1"}
	r, err := a.c.Initialize(ctx, req)
	if err != nil {
		return "", err
	}
	return r.ProtocolVersion, nil
}

func (a *adapter) List() (int, error) {
	r, err := a.c.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return 0, err
	}
	return len(r.Tools), nil
}

func (a *adapter) Call(ctx context.Context, name string, args map[string]any, progress bool) (string, error) {
	req := mcp.CallToolRequest{}
	req.Params.Name = name
	req.Params.Arguments = args
	if progress {
		req.Params.Meta = &mcp.Meta{ProgressToken: "p1"}
	}
	r, err := a.c.CallTool(ctx, req)
	if err != nil {
		return "", err
	}
	s := ""
	for _, b := range r.Content {
		if t, ok := b.(mcp.TextContent); ok {
			s += t.Text
		}
	}
	if r.IsError {
		return "", errors.New("the tool failed: " + s)
	}
	return s, nil
}

func (a *adapter) Close() error { return a.c.Close() }

func main() { loop.Main(&adapter{}) }
