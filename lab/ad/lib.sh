# Shared by up, join and down; sourced, not run.
# LAB_DIR    where running controllers keep their data (default: made under /dev/shm or TMPDIR)
# LAB_CACHE  where templates and the lab CA stay between runs (default ~/.cache/jitney-lab)
PATH=$PATH:/usr/sbin:/sbin
LAB_PASSWORD=${LAB_PASSWORD:-Lab-0nly.Passw0rd}   # of throw-away domains on the loopback; not a secret
export LAB_PASSWORD

lab_dirs() {
  if [ -z "${LAB_DIR:-}" ]; then
    local root=/dev/shm
    { [ -d $root ] && [ -w $root ]; } || root=${TMPDIR:-/tmp}
    LAB_DIR=$(mktemp -d "$root/jitney-lab-XXXXXX")
  fi
  LAB_CACHE=${LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/jitney-lab}
  mkdir -p "$LAB_CACHE" 2>/dev/null && [ -w "$LAB_CACHE" ] || { LAB_CACHE=$LAB_DIR/cache; mkdir -p "$LAB_CACHE"; }
  mkdir -p "$LAB_DIR"
}

# lab_ca: one CA for all lab domains of this user.
lab_ca() {
  CA=$LAB_CACHE/ca
  (
    flock 9
    [ -s "$CA/ca.pem" ] && openssl x509 -in "$CA/ca.pem" -noout -checkend 86400 >/dev/null && exit 0
    rm -rf "$CA"; mkdir -p "$CA"; umask 077
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$CA/ca.key" -out "$CA/ca.new" -days 365 \
      -subj "/CN=jitney lab CA" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
    mv "$CA/ca.new" "$CA/ca.pem"
  ) 9>"$LAB_CACHE/ca.lock"
}

# lab_cert DIR HOST DOMAIN IP: a server certificate. Samba refuses a key that others can read.
lab_cert() {
  mkdir -p "$1/tls"
  (
    umask 077
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1/tls/key.pem" -out "$1/tls/csr" -subj "/CN=$2.$3" 2>/dev/null
    openssl x509 -req -in "$1/tls/csr" -CA "$CA/ca.pem" -CAkey "$CA/ca.key" -set_serial "0x$(openssl rand -hex 8)" -days 90 -out "$1/tls/cert.pem" \
      -extfile <(printf 'subjectAltName=DNS:%s,DNS:%s,IP:%s\nextendedKeyUsage=serverAuth\n' "$2.$3" "$3" "$4") 2>/dev/null
  )
  cp "$CA/ca.pem" "$1/tls/ca.pem"
}

# lab_conf DIR HOST DOMAIN NETBIOS IP: smb.conf and krb5.conf. The ports of Samba cannot be moved, the address can.
lab_conf() {
  local D=$1 host=$2 dom=$3 nb=$4 ip=$5 realm=${3^^} services='ldap, cldap, kdc'
  [ -n "${REPLICATE:-}" ] && services='ldap, cldap, kdc, rpc, drepl, kcc, winbindd'
  cat >"$D/etc/smb.conf" <<CONF
[global]
	netbios name = ${host^^}
	realm = $realm
	workgroup = $nb
	server role = active directory domain controller
	server services = $services
	bind interfaces only = yes
	interfaces = $ip/8
	private dir = $D/private
	state directory = $D/state
	cache directory = $D/cache
	lock directory = $D/run
	pid directory = $D/run
	binddns dir = $D/bind-dns
	ncalrpc dir = $D/run/ncalrpc
	winbindd socket directory = $D/run/winbindd
	ntp signd socket directory = $D/run/ntp_signd
	log file = $D/log/samba
	log level = ${LAB_LOGLEVEL:-1 auth_json_audit:3 dsdb_json_audit:5 dsdb_password_json_audit:5 dsdb_group_json_audit:5}
	tls enabled = yes
	tls keyfile = $D/tls/key.pem
	tls certfile = $D/tls/cert.pem
	tls cafile = $D/tls/ca.pem
	ldap server require strong auth = yes
	disable netbios = yes
	load printers = no
	ldb:nosync = true
CONF
  cat >"$D/etc/krb5.conf" <<CONF
[libdefaults]
	default_realm = $realm
	dns_lookup_kdc = false
	dns_lookup_realm = false
	rdns = false
	dns_canonicalize_hostname = false
[realms]
	$realm = {
		kdc = ${FIRST_IP:-$ip}
		kpasswd_server = ${FIRST_IP:-$ip}
	}
[domain_realm]
	.$dom = $realm
	$dom = $realm
CONF
}

# lab_hosts CMD...: run CMD with our own /etc/hosts when controllers must find each other by name. The file is
# laid over the system's in a mount namespace, so the machine's own file is never touched.
lab_hosts() {
  if [ -z "${REPLICATE:-}" ]; then "$@"; return; fi
  unshare -m bash -c 'mount --make-rprivate / 2>/dev/null; mount --bind "$0" /etc/hosts && exec "$@"' "$LAB_DIR/hosts" "$@"
}

# lab_start DIR IP: start Samba in the background and wait until LDAPS and Kerberos listen, and what a second controller calls.
lab_start() {
  local D=$1 ip=$2 model=single ports='636 88' port listening
  [ -n "${REPLICATE:-}" ] && model=standard && ports+=' 135 49152'
  export KRB5_CONFIG=$D/etc/krb5.conf
  export -f lab_hosts; export LAB_DIR REPLICATE=${REPLICATE:-}
  setsid bash -c 'lab_hosts "$@"' start "$(command -v setsid)" -w samba -s "$D/etc/smb.conf" -i -M "$model" --debug-stdout \
    --maximum-runtime="${LAB_MAXRUN:-7200}" </dev/null >"$D/log/out" 2>&1 9>&- &
  local pid=$!
  for _ in $(seq 2400); do # two minutes, where many start at once
    listening=$(ss -Hltn "src $ip")
    for port in $ports samba.pid; do
      [[ $listening == *":$port "* || $port == samba.pid && -s $D/run/samba.pid ]] || break
      [ "$port" = samba.pid ] && return 0
    done
    kill -0 $pid 2>/dev/null || break
    sleep 0.05
  done
  tail -c 4000 "$D/log/out" >&2
  return 1
}

# lab_env NAME DIR HOST DOMAIN NETBIOS IP: the env file of a running controller, also printed.
lab_env() {
  local dom=$4
  cat >"$LAB_DIR/$1.env" <<CONF
AD_NAME=$1
AD_URL=ldaps://$6
AD_IP=$6
AD_CA=$CA/ca.pem
AD_BASE=DC=${dom//./,DC=}
AD_DOMAIN=$dom
AD_REALM=${dom^^}
AD_NETBIOS=$5
AD_HOST=$3.$dom
AD_BIND=Administrator@$dom
AD_PASSWORD=$LAB_PASSWORD
AD_DIR=$2
AD_CONF=$2/etc/smb.conf
AD_AUDIT=$2/log/out
AD_PID=$(cat "$2/run/samba.pid")
AD_KRB5_CONFIG=$2/etc/krb5.conf
LAB_DIR=$LAB_DIR
CONF
  cat "$LAB_DIR/$1.env"
}
