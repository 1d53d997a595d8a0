//go:build old

package main

import "github.com/modelcontextprotocol/go-sdk/mcp"

// Versions before 1.5 ask for the newest that they know.
func options(string) *mcp.ClientSessionOptions { return nil }
