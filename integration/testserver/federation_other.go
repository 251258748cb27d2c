//go:build !linux

package testserver

import "errors"

func canFederate() error { return errors.ErrUnsupported }

func withHosts(string, func() error) error { return errors.ErrUnsupported }
