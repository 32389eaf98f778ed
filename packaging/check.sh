#!/bin/sh
# Installs the artifacts into a repository of their own below target/ and builds a consumer against them.
set -eu
cd "$(dirname "$0")/.."

packaging/check-c.sh

# A property of the build, without the colours that Maven puts around it.
value() { mvn -B -q help:evaluate -Dexpression="$1" -DforceStdout | sed 's/\x1b\[[0-9;]*m//g'; }

ordinary=$(value settings.localRepository)
version=$(value project.version)
repository=$PWD/target/consumer-repository
rm -rf "$repository"
mkdir -p target
# What has been downloaded already is shared.
cp -al "$ordinary" "$repository" 2>/dev/null || cp -a "$ordinary" "$repository"
rm -rf "$repository/org/fettle"
mvn -B -q install -DskipTests -Dfettle.skipNative -Dspotless.check.skip -pl .,java,packaging/bom,packaging/platform \
  -Dmaven.repo.local="$repository"
mvn -B -q verify -f examples/maven/pom.xml -Dmaven.repo.local="$repository"
if command -v gradle >/dev/null; then
  gradle --offline --no-daemon -q -p examples/gradle --project-cache-dir "$PWD/target/gradle-cache" \
    -Dmaven.repo.local="$repository" consume
else
  echo "############ NOT RUN: the Gradle consumer, because there is no gradle on this machine ############"
fi
java -jar "java/target/fettle-$version.jar" >target/doctor.txt 2>/dev/null
grep -q '^backend java .*\(available\|chosen\)' target/doctor.txt || { echo "java -jar fettle.jar prints no report" >&2; exit 1; }
rm -rf "$repository"
echo "consumer: built against the installed artifacts, and ran"
