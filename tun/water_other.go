//go:build !linux

package tun

var systemWaterQueue = newPortableQueue
