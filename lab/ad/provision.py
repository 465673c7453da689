#!/usr/bin/python3
"""Provision a Samba AD domain into a directory: provision.py DIR REALM NETBIOS HOST IP (password in LAB_PASSWORD).

The Python interface can leave out the ACLs of sysvol, which samba-tool cannot. So this works on file systems
without extended attributes and inside user namespaces. Needs the system's python3 (Samba's modules live there).
"""
import logging
import os
import sys

from samba.auth import system_session
from samba.param import LoadParm
from samba.provision import DS_DOMAIN_FUNCTION_2008_R2, provision

directory, realm, netbios, host, ip = sys.argv[1:6]
# An almost empty configuration: the distribution's own smb.conf (a standalone server) disturbs a provision.
conf = os.path.join(directory, "empty.conf")
with open(conf, "w", encoding="ascii") as f:
    f.write("[global]\n")
lp = LoadParm()
lp.load(conf)
logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
provision(
    logging.getLogger("provision"),
    system_session(),
    smbconf=None,
    targetdir=directory,
    realm=realm,
    domain=netbios,
    hostname=host,
    hostip=ip,
    adminpass=os.environ["LAB_PASSWORD"],
    serverrole="active directory domain controller",
    dns_backend="NONE",
    dom_for_fun_level=DS_DOMAIN_FUNCTION_2008_R2,
    lp=lp,
    skip_sysvolacl=True,
)
