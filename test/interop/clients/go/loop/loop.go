// Package loop is the program around a client in Go: see ../loop.ts for the lines that it speaks.
package loop

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

type Request struct {
	ID       int            `json:"id"`
	Op       string         `json:"op"`
	Name     string         `json:"name"`
	Args     map[string]any `json:"args"`
	Progress bool           `json:"progress"`
}

type Adapter interface {
	// Connect tells the protocol version.
	Connect(url, transport string) (string, error)
	List() (int, error)
	Call(ctx context.Context, name string, args map[string]any, progress bool) (string, error)
	Close() error
}

var mu sync.Mutex

func Emit(v map[string]any) {
	mu.Lock()
	defer mu.Unlock()
	b, _ := json.Marshal(v)
	fmt.Println(string(b))
}

// Main serves operations until standard input ends.
func Main(a Adapter) {
	base, transport := os.Args[len(os.Args)-3], os.Args[len(os.Args)-2]
	limit, err := strconv.Atoi(os.Args[len(os.Args)-1])
	if err != nil {
		panic(err)
	}
	url := base + "/mcp"
	if transport == "sse" {
		url = base + "/sse"
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 10_000_000)
	for lines.Scan() {
		var r Request
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue
		}
		var value any
		var err error
		length := 0
		switch r.Op {
		case "connect":
			value, err = a.Connect(url, transport)
		case "list":
			value, err = a.List()
		case "call":
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(limit)*time.Millisecond)
			var text string
			text, err = a.Call(ctx, r.Name, r.Args, r.Progress)
			cancel()
			length = len(text)
			value = text[:min(length, 200)]
		default:
			err = a.Close()
		}
		if err != nil {
			Emit(map[string]any{"id": r.ID, "ok": false, "error": fmt.Sprintf("%T: %v", err, err)})
		} else {
			Emit(map[string]any{"id": r.ID, "ok": true, "value": value, "length": length})
		}
	}
}
