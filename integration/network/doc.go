// Package network makes networks within this machine for tests: namespaces of the kernel, and links between them that
// hold packets back for a time. Real programs run in them over real TCP and UDP.
//
// It must not know who talks there: it imports nothing of this module.
//
// Nothing has a name that another process could see, and all is gone with the test, or with the process if that is killed: a namespace
// lives as long as somebody holds it open. It works on Linux alone, for whoever may make namespaces and TUN devices, such as root.
package network
