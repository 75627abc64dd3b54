"""Secret manager accesses: the wizard, the providers, and the External Secrets Operator as an add-on."""
