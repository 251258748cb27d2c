package network

import (
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// netmask is that of the network on a link, which has four addresses.
var netmask = [4]byte{255, 255, 255, 252}

// openTUN makes a TUN device in the thread's namespace. It is gone when the file is closed.
func openTUN(name string, address netip.Addr) (*os.File, error) {
	const path = "/dev/net/tun"
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	r, err := unix.NewIfreq(name)
	if err == nil {
		r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = os.NewSyscallError("make a tun device", unix.IoctlIfreq(fd, unix.TUNSETIFF, r))
	}
	if err == nil {
		err = setAddress(name, address)
	}
	if err == nil {
		err = up(name)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

func setAddress(name string, address netip.Addr) error {
	return control(name, func(fd int, r *unix.Ifreq) error {
		if err := r.SetInet4Addr(address.AsSlice()); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, r); err != nil {
			return err
		}
		if err := r.SetInet4Addr(netmask[:]); err != nil {
			return err
		}
		return unix.IoctlIfreq(fd, unix.SIOCSIFNETMASK, r)
	})
}

// up switches a device on.
func up(name string) error {
	return control(name, func(fd int, r *unix.Ifreq) error {
		r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
	})
}

// control has f set something of a device, by netdevice(7).
func control(name string, f func(fd int, r *unix.Ifreq) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	r, err := unix.NewIfreq(name)
	if err == nil {
		err = f(fd, r)
	}
	return errors.Join(os.NewSyscallError("set up "+name, err), unix.Close(fd))
}
