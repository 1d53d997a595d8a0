//go:build !old

package main

import "github.com/modelcontextprotocol/go-sdk/mcp"

func options(version string) *mcp.ClientSessionOptions {
	if version == "auto" {
		return nil
	}
	return &mcp.ClientSessionOptions{ProtocolVersion: version}
}
