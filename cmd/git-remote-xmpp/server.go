package main

import (
	"context"
	"errors"
)

func serverCommand(context.Context, stdio, []string) error { return errors.New("soon") }
func demoCommand(context.Context, stdio, []string) error   { return errors.New("soon") }
