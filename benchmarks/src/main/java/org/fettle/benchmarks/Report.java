package org.fettle.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * A run's results, as tables and as JSON.
 *
 * @param machine where it was measured
 * @param command what was run
 * @param measured when, such as {@code 2026-11-27 06:00 UTC}
 * @param ceilings what the machine allowed then
 * @param results one per case
 */
record Report(
    Machine machine, String command, String measured, Ceilings ceilings, List<Result> results) {
  private static final List<String> OTHERS =
      Stream.concat(Stream.of("cpu-v3", "java"), Peer.CONTESTANTS.stream()).toList();

  /** One line {@code name ratio} per ratio. */
  List<String> ratioLines() {
    List<String> lines = new ArrayList<>();
    ratios().forEach((name, ratio) -> lines.add(name + " " + format("%.3f", ratio)));
    return lines;
  }

  /** The table of all cases, laid out for a terminal. */
  String table() {
    List<List<String>> rows = rows();
    int columns = rows.get(0).size();
    StringBuilder text = new StringBuilder();
    for (List<String> row : rows) {
      for (int i = 0; i < columns; i++) {
        int column = i;
        int width = rows.stream().mapToInt(r -> r.get(column).length()).max().orElse(0);
        String padding = " ".repeat(width - row.get(i).length());
        text.append(i == 0 ? row.get(i) + padding : "  " + padding + row.get(i));
      }
      text.append(System.lineSeparator());
    }
    return text.toString();
  }

  /** The part of {@code docs/performance.md} that is measured. */
  String markdown() {
    StringBuilder text = new StringBuilder();
    text.append("Measured by `").append(command).append("` on ").append(machine).append(".\n\n");
    text.append("| ratio | measured | forks | goal |\n|---|---|---|---|\n");
    Map<String, String> ranges = ranges();
    ratios()
        .forEach(
            (name, ratio) ->
                text.append(
                    "| %s | %s | %s | %s |\n"
                        .formatted(
                            name, format("%.2f", ratio), ranges.get(name), Goals.text(name))));
    text.append('\n');
    List<List<String>> rows = rows();
    for (int i = 0; i < rows.size(); i++) {
      text.append("| ").append(String.join(" | ", rows.get(i))).append(" |\n");
      if (i == 0) {
        text.append("|---".repeat(rows.get(0).size())).append("|\n");
      }
    }
    return text.toString();
  }

  /** One line per rule: what it must move, and how close it comes to the ceiling. */
  String rules() {
    StringBuilder text = new StringBuilder();
    text.append("Measured by `").append(command).append("` on ").append(machine);
    text.append(". 4-bit states: the ceiling leaves their byte out.\n\n");
    text.append("| case | threads | bytes | passes | ns per element | of ceiling | goal |\n");
    text.append("|---|---|---|---|---|---|---|\n");
    for (Result result : results) {
      String ours = result.ours();
      text.append(
          "| %s | %d | %s | %d | %s | %s | %s |\n"
              .formatted(
                  result.name(),
                  result.threads(),
                  format("%.4g", result.bytesPerElement()).replaceAll("\\.?0+$", ""),
                  result.passes(),
                  format("%.3f", result.nanosPerElement(ours)),
                  format("%.2f", result.speed(ours, Result.CEILING)),
                  Goals.text(result.name() + "." + Result.CEILING)));
    }
    return text.toString();
  }

  private Map<String, Double> ratios() {
    Map<String, Double> ratios = new java.util.LinkedHashMap<>();
    results.forEach(result -> ratios.putAll(Goals.ratios(result)));
    return ratios;
  }

  /** Least and most over the forks. */
  private Map<String, String> ranges() {
    Map<String, String> ranges = new TreeMap<>();
    for (Result result : results) {
      for (String name : Goals.ratios(result).keySet()) {
        String other = name.substring(result.name().length() + 1);
        if (other.equals("us")) {
          double[] micros =
              result.forks().stream()
                  .mapToDouble(fork -> fork.nanosPerStep(result.ours()) / 1e3)
                  .sorted()
                  .toArray();
          ranges.put(name, range(micros));
        } else {
          ranges.put(name, range(result.speeds(result.ours(), other)));
        }
      }
    }
    return ranges;
  }

  private List<List<String>> rows() {
    List<List<String>> rows = new ArrayList<>();
    List<String> header = new ArrayList<>();
    header.addAll(
        List.of("case", "threads", "B/el", "ceiling GB/s", "ours", "ns/el", "GB/s", "of ceiling"));
    OTHERS.forEach(other -> header.add(other));
    Peer.CONTESTANTS.forEach(peer -> header.add("x " + peer));
    rows.add(header);
    for (Result result : results) {
      String ours = result.ours();
      List<String> row = new ArrayList<>();
      row.add(result.name());
      row.add(Integer.toString(result.threads()));
      row.add(format("%.4g", result.bytesPerElement()).replaceAll("\\.?0+$", ""));
      row.add(format("%.1f", result.gigabytesPerSecond(Result.CEILING)));
      row.add(ours);
      row.add(format("%.3f", result.nanosPerElement(ours)));
      row.add(format("%.1f", result.gigabytesPerSecond(ours)));
      row.add(format("%.2f", result.speed(ours, Result.CEILING)));
      for (String other : OTHERS) {
        row.add(
            result.contestants().contains(other)
                ? format("%.2f", result.speed(other, Result.CEILING))
                : "");
      }
      for (String other : Peer.CONTESTANTS) {
        row.add(
            result.contestants().contains(other) ? format("%.2f", result.speed(ours, other)) : "");
      }
      rows.add(row);
    }
    return rows;
  }

  private static String range(double[] sorted) {
    return format("%.2f", sorted[0]) + " to " + format("%.2f", sorted[sorted.length - 1]);
  }

  private static String format(String pattern, double value) {
    return String.format(Locale.ROOT, pattern, value);
  }
}
