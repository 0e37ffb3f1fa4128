// A Secret does not become text by itself.
// wrong: conversion|convert
#include "sallyport/base/secret.h"

using namespace sallyport;

std::string show(const Secret& secret) {
#ifdef WRONG
  return secret;
#else
  return std::string(secret.reveal());
#endif
}
