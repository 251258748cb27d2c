package main

import (
	"context"
	"fmt"
	"os"

	"git-remote-xmpp/internal/demo"
	"github.com/spf13/pflag"
)

func demoCommand(ctx context.Context, std stdio, args []string) error {
	rest, err := parseFlags("demo", std, args, func(*pflag.FlagSet) {})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("demo: unexpected argument %q", rest[0])
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("demo: find this program: %w", err)
	}
	if err := demo.Run(ctx, demo.Options{Out: std.out, Program: program}); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}
